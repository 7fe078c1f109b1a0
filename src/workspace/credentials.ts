/**
 * Which files are credentials by their name. Rules are data; names are compared without case.
 * A folder on the list is left out whole. Public halves (`*.pub`) and templates (`.env.example`)
 * are not credentials. What only the content tells is in credential-content.ts.
 */

/** Base names, matched whole. */
const names = new Set([
  ...[".netrc", "_netrc", ".git-credentials", ".pypirc", ".pgpass", "pgpass.conf", ".my.cnf"],
  ...[".mylogin.cnf", ".vault-token", ".htpasswd", ".s3cfg", ".boto", ".dockercfg", ".dev.vars"],
  ...[".dockerconfigjson", ".terraformrc", "terraform.rc", "credentials.tfrc.json", "kubeconfig"],
  ...["application_default_credentials.json", "client_secret.json", "service-account.json"],
  ...["serviceaccount.json", "rclone.conf", ".databrickscfg", "kaggle.json", "local.settings.json"],
  ...[".credentials.json", ".secrets", "secrets.json", "secrets.yml", "secrets.yaml"],
  ...["secrets.toml", "secrets.env", ".token", ".api_key", ".apikey", ".fetchmailrc", ".msmtprc"],
  ...["wallet.dat", "accesstokens.json"],
]);

/** Folders left out whole, by base name. */
const folders = new Set([
  ...[".ssh", ".aws", ".kube", ".gnupg", ".azure", ".oci", ".password-store", ".gcloud"],
  ...[".pulumi", ".terraform.d", ".aliyun", ".snowsql", ".bluemix", ".minikube"],
]);

/** Ends of paths, matched on whole segments. */
const pathEnds: readonly string[] = [
  ...[".docker/config.json", ".config/gcloud", ".config/gh/hosts.yml", ".config/hub"],
  ...[".config/glab-cli/config.yml", ".config/doctl/config.yaml", ".config/op", ".config/rclone"],
  ...[".config/containers/auth.json", ".config/git/credentials", ".config/helm/registry"],
  ...[".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".bundle/config"],
  ...[".composer/auth.json", ".fly/config.yml", ".huggingface/token", ".claude.json"],
  ...[".cache/huggingface/token", ".config/anthropic", ".config/openai", ".local/share/keyrings"],
  ...[".codex/auth.json", ".ngrok2/ngrok.yml", ".jupyter/jupyter_server_config.json"],
];

/** Extensions of key stores and key files. */
const extensions = new Set([
  ...["pem", "key", "p12", "p8", "pfx", "pkcs12", "jks", "jceks", "bks", "keystore", "ppk"],
  ...["kdb", "kdbx", "ovpn", "keytab", "agekey", "tfstate", "tfvars", "kubeconfig"],
]);

/** An `id_…` name with one of these is code or data, such as `id_generator.py`; any other may be a key. */
const plainExtensions = new Set([
  ...["pub", "c", "cc", "cpp", "cs", "css", "csv", "dart", "ex", "exs", "go", "h", "hpp", "hs"],
  ...["html", "ini", "java", "js", "json", "jsx", "kt", "lua", "m", "md", "mjs", "mts", "php"],
  ...["pl", "png", "proto", "py", "pyi", "r", "rb", "rs", "rst", "scala", "sh", "sql", "svg"],
  ...["swift", "toml", "ts", "tsv", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig"],
]);

/** Endings that mark a template of a credentials file, which is meant to be shared. */
const template = /[._-](example|sample|template|dist|schema|defaults?|tmpl|tpl)(\.[a-z]{1,5})?$/;

/** Whether the path names a credential, or a folder of them. */
export function isCredentialName(path: string, isFolder: boolean): boolean {
  const folded = path.toLowerCase();
  const base = folded.slice(folded.lastIndexOf("/") + 1);
  if (isFolder && folders.has(base)) return true;
  if (pathEnds.some((end) => folded === end || folded.endsWith(`/${end}`))) return true;
  if (base.startsWith(".env")) return !template.test(base);
  if (isFolder) return false;
  if (names.has(base)) return true;
  return !template.test(base) && (isKeyExtension(base) || isKeyName(base));
}

function isKeyExtension(base: string): boolean {
  // a copy kept beside ("server.key.bak", "terraform.tfstate.backup") is the same secret
  const stem = base.replace(/(\.(bak|backup|old|orig|save|copy|[0-9]+)|~)+$/, "");
  const dot = stem.lastIndexOf(".");
  return dot >= 0 && extensions.has(stem.slice(dot + 1));
}

function isKeyName(base: string): boolean {
  if (!base.startsWith("id_")) return /^ssh_host_[a-z0-9]+_key$/.test(base);
  const dot = base.lastIndexOf(".");
  return dot < 0 || !plainExtensions.has(base.slice(dot + 1));
}
