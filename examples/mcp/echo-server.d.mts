export function startEchoServer(): Promise<{ url: string; close: () => Promise<void> }>;
