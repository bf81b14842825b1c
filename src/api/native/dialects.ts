/** The dialects there are: what each calls the events it can tell of, and when it sends. For whoever sets a webhook. */
import { Type } from '@fastify/type-provider-typebox';
import { Value } from 'typebox/value';
import { eventTypes } from '../../events/types.ts';
import { dialects } from '../../webhooks/dialects.ts';
import type { App } from '../app.ts';

const DialectShape = Type.Object({
  name: Type.String(),
  description: Type.String(),
  framing: Type.Enum(['single', 'array'], {
    description: 'One event a request, or an array of them, as first set',
  }),
  events: Type.Record(Type.String(), Type.String(), {
    description: 'The canonical types it can tell of, each with its own name for it',
  }),
  batch: Type.Object({ count: Type.Integer(), age_seconds: Type.Number(), bytes: Type.Integer() }),
  options: Type.Record(Type.String(), Type.Unknown(), { description: 'Its own options, as JSON schemas' }),
});

export function dialectRoute(app: App): void {
  app.get(
    '/api/dialects',
    {
      schema: {
        operationId: 'listDialects',
        tags: ['webhooks'],
        summary: 'List the dialects in which a webhook may be told',
        response: { 200: Type.Object({ dialects: Type.Array(DialectShape) }) },
      },
    },
    async () => ({
      dialects: [...dialects.values()].map((dialect) => {
        const { name, description, eventNames, limits, options } = dialect;
        const known = eventTypes.flatMap((type) => {
          const own = eventNames[type];
          return own === undefined ? [] : [[type, own] as const];
        });
        return {
          name,
          description,
          framing: dialect.framing(Value.Create(options)),
          events: Object.fromEntries(known),
          batch: { count: limits.count, age_seconds: limits.ageMs / 1000, bytes: limits.bytes },
          options: { ...options.properties },
        };
      }),
    }),
  );
}
