import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

const noEnvironment = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: "Only src/config/ reads the environment; take the value as an argument.",
};
const noExit = {
  selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
  message: "Only src/cli/main.ts ends the process; return an exit code.",
};

export default tseslint.config(
  {
    ignores: [
      "dist/",
      "coverage/",
      "node_modules/",
      "guest/",
      "test/fixtures/",
      "test/wine/*.mjs",
      "scripts/*.mjs",
      "examples/",
      ".cache/",
    ],
  },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "*.cjs", "vitest.config.ts"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      // a "using" that only holds something open
      "@typescript-eslint/no-unused-vars": ["error", { varsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 70, skipComments: true, skipBlankLines: true }],
      complexity: ["error", 12],
      "no-empty": ["error", { allowEmptyCatch: false }],
      "no-console": "error",
      "no-restricted-exports": ["error", { restrictDefaultExports: { direct: true, named: true } }],
      "no-restricted-syntax": ["error", noEnvironment, noExit],
    },
  },
  { files: ["src/config/**"], rules: { "no-restricted-syntax": ["error", noExit] } },
  { files: ["src/cli/main.ts"], rules: { "no-restricted-syntax": ["error", noEnvironment] } },
  {
    files: ["test/**", "scripts/**", "examples/**"],
    rules: {
      "max-lines-per-function": "off",
      "no-restricted-syntax": "off",
      "no-console": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  {
    files: ["*.js", "*.cjs", "vitest.config.ts", "bin/*"],
    extends: [tseslint.configs.disableTypeChecked],
    rules: {
      "no-restricted-exports": "off",
      "@typescript-eslint/explicit-module-boundary-types": "off",
    },
    languageOptions: { globals: { module: "readonly", process: "readonly" } },
  },
);
