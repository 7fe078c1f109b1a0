export function startLoginServer(client: {
  clientId: string;
  clientSecret: string;
}): Promise<{ url: string; issuer: string; close: () => Promise<void> }>;
