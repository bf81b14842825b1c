/**
 * AUTH PLAIN (RFC 4616) and LOGIN: a dialogue of challenges and answers that ends in a name and a password. Keeps neither.
 */
import { type Reply, replies, reply } from './replies.ts';

export type SaslStep =
  | { readonly kind: 'challenge'; readonly reply: Reply; readonly answered: (line: string) => SaslStep }
  | { readonly kind: 'login'; readonly username: string; readonly password: string }
  | { readonly kind: 'failed'; readonly reply: Reply };

/** What AUTH lists in EHLO. */
export const saslMechanisms = 'PLAIN LOGIN';

/** @param initial the initial response of the AUTH command, `=` for an empty one, undefined if there was none */
export function startSasl(mechanism: string, initial: string | undefined): SaslStep {
  switch (mechanism.toUpperCase()) {
    case 'PLAIN':
      return initial === undefined ? ask('', plain) : decoded(initial, plain);
    case 'LOGIN': {
      const username = (name: string) => ask('Password:', (password) => login(name, password));
      return initial === undefined ? ask('Username:', username) : decoded(initial, username);
    }
    default:
      return { kind: 'failed', reply: replies.unknownMechanism };
  }
}

function ask(challenge: string, next: (answer: string) => SaslStep): SaslStep {
  return {
    kind: 'challenge',
    reply: reply(334, '', Buffer.from(challenge).toString('base64')),
    answered: (line) => decoded(line, next),
  };
}

function decoded(line: string, next: (answer: string) => SaslStep): SaslStep {
  if (line === '*') return { kind: 'failed', reply: replies.authCancelled };
  if (line === '=') return next('');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(line)) {
    return { kind: 'failed', reply: replies.badBase64 };
  }
  return next(Buffer.from(line, 'base64').toString());
}

/** `[authzid] NUL authcid NUL password`. Acting for another is not possible: the first is empty or equals the second. */
function plain(answer: string): SaslStep {
  const [actFor, username, password, ...more] = answer.split('\0');
  if (username === undefined || password === undefined || more.length > 0) {
    return { kind: 'failed', reply: replies.badBase64 };
  }
  return login(actFor === '' || actFor === username ? username : '', password);
}

function login(username: string, password: string): SaslStep {
  return { kind: 'login', username, password };
}
