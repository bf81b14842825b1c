/** One PostgreSQL for a whole test run: node starts it before the first file and ends it after the last. */
import { type PostgresServer, sharedServer, startPostgres, withoutPostgres } from './postgres.ts';

let server: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  if (withoutPostgres !== false) return;
  server = await startPostgres();
  process.env[sharedServer] = String(server.port);
}

export async function globalTeardown(): Promise<void> {
  await server?.[Symbol.asyncDispose]();
}
