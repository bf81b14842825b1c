/** The shape of the HTTP application that route files are written against. */
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Account } from '../store/contract/accounts.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** A request whose answer may need nothing of the application. */
export interface QuickRequest {
  /** As it was asked for, with its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The client's, by those proxies that are believed. */
  readonly address: string;
  /** HEAD; GET otherwise. */
  readonly isHead: boolean;
}

export interface QuickAnswer {
  readonly statusCode: 200 | 302;
  /** In lower case; the same object for all answers of a kind. */
  readonly headers: Readonly<Record<string, string>>;
  readonly location: string | undefined;
  /** A byte a character. */
  readonly body: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token the request carries. Set by `authenticate` before any handler of the API runs. */
    account: Account;
  }
  interface FastifyContextConfig {
    /** Also served under customers' tracking names, which serve nothing else. */
    onTrackingNames?: true;
  }
}
