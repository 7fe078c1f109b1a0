export function makeCertificate(name: string): { key: string; cert: string; pin: string };
