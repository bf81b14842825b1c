/** Fresh databases for the tests of a file, on the run's server or on one that ends with the file. */
import { randomBytes } from 'node:crypto';
import { after } from 'node:test';
import { Client } from 'pg';
import { databaseUrl, type PostgresServer, sharedServer, startPostgres } from './postgres.ts';

let ownServer: Promise<PostgresServer> | undefined;

after(async () => (await ownServer)?.[Symbol.asyncDispose]());

async function serverPort(): Promise<number> {
  const shared = process.env[sharedServer];
  if (shared !== undefined) return Number(shared);
  ownServer ??= startPostgres();
  return (await ownServer).port;
}

/** A database with nothing in it. @returns its URL */
export async function freshDatabase(): Promise<string> {
  const port = await serverPort();
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new Client({ connectionString: databaseUrl(port, 'postgres') });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return databaseUrl(port, name);
}
