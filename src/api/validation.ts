/**
 * Checks requests by their routes' schemas. Paths and queries are text, from which numbers have to be made; only what
 * is written as a whole number becomes one: `1.5`, `0x1` or `true` must not find message 1.
 */
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { Settings } from 'typebox/system';
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify';

/** Of one request. A value of several forms has errors in each; a list that is cut off could leave the wanted one out. */
const maxErrors = 64;
Settings.Set({ maxErrors });

/** A parameter that stands there twice is no text but a list of texts. */
const isWhole = (value: unknown): boolean => typeof value === 'string' && /^-?\d+$/.test(value);

export const validatorCompiler: FastifySchemaCompiler<object> = (route) => {
  // Headers are read as text alone, and a body says itself what is a number: nothing is to be made of either.
  const check = TypeBoxValidatorCompiler(
    route.httpPart === 'headers' ? { ...route, httpPart: 'body' } : route,
  );
  if (route.httpPart !== 'params' && route.httpPart !== 'querystring') return check;
  const { properties = {} } = route.schema as { properties?: Readonly<Record<string, { type?: string }>> };
  const numbers = Object.keys(properties).filter((name) => properties[name]?.type === 'integer');
  return (value: Readonly<Record<string, unknown>>) => {
    const wrong = numbers.find((name) => value[name] !== undefined && !isWhole(value[name]));
    return wrong === undefined ? check(value) : { error: [notWhole(wrong)] as never };
  };
};

const notWhole = (name: string): FastifySchemaValidationError => ({
  keyword: 'type',
  instancePath: `/${name}`,
  schemaPath: `#/properties/${name}/type`,
  params: {},
  message: 'must be integer',
});
