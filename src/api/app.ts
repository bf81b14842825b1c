/** The shape of the HTTP application that route files are written against. */
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Account } from '../store/contract/accounts.ts';

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

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
