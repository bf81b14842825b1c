/** An endpoint's secrets as they are stored: closed for their account, opened for sending, masked for looking at. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Webhook } from '../store/contract/webhooks.ts';
import { type Access, headerFault, noAccess } from './access.ts';
import type { Vault } from './requests.ts';
import type { Seal } from '../tokens/sealed-secret.ts';

/** Whom a signing key is sealed for. */
export const keyOwner = (accountId: number): string => `webhook of account ${accountId}`;
const accessOwner = (accountId: number): string => `access of a webhook of account ${accountId}`;

export const openVault = (seal: Seal): Vault => ({
  key: (webhook, key) => seal.open(key.sealed, keyOwner(webhook.accountId)),
  access: ({ sealedAccess, accountId }: Webhook) =>
    sealedAccess === '' ? noAccess : (JSON.parse(seal.open(sealedAccess, accessOwner(accountId))) as Access),
});

export function closeAccess(seal: Seal, accountId: number, access: Access): string {
  const isNone =
    access.authentication === undefined &&
    access.mutualTls === undefined &&
    Object.keys(access.headers).length === 0;
  return isNone ? '' : seal.close(JSON.stringify(access), accessOwner(accountId));
}

/** What an owner is shown of it. */
export interface MaskedAccess {
  readonly authentication: Readonly<Record<string, string>> | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly mutualTls: { readonly subject: string; readonly validUntil: string } | null;
}

const mask = '***';

export function masked({ authentication, headers, mutualTls }: Access): MaskedAccess {
  return {
    authentication: authentication === undefined ? null : maskedAuthentication(authentication),
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, mask])),
    mutualTls: mutualTls === undefined ? null : describe(mutualTls.certificate),
  };
}

function maskedAuthentication(
  authentication: NonNullable<Access['authentication']>,
): Readonly<Record<string, string>> {
  switch (authentication.kind) {
    case 'basic':
      return { kind: 'basic', username: authentication.username, password: mask };
    case 'bearer':
      return { kind: 'bearer', token: mask };
    case 'oauth2': {
      const { tokenUrl, clientId, scope } = authentication;
      return { kind: 'oauth2', token_url: tokenUrl, client_id: clientId, client_secret: mask, scope };
    }
  }
}

function describe(certificate: string) {
  const { subject, validTo } = new X509Certificate(certificate);
  return { subject: subject ?? '', validUntil: validTo };
}

const maxHeaders = 20;

/** What is wrong with it, with the field in the native API's words; undefined if nothing is. */
export function accessFault(
  access: Access,
): { readonly field: string; readonly message: string } | undefined {
  const names = Object.keys(access.headers);
  if (names.length > maxHeaders) return { field: 'headers', message: `no more than ${maxHeaders} headers` };
  for (const name of names) {
    const message = headerFault(name, access.headers[name] ?? '');
    if (message !== undefined) return { field: 'headers', message };
    if (access.authentication !== undefined && name.toLowerCase() === 'authorization') {
      return { field: 'headers', message: 'Authorization is set by `authentication`' };
    }
  }
  const { authentication, mutualTls } = access;
  if (authentication?.kind === 'basic' && authentication.username.includes(':')) {
    return { field: 'authentication', message: 'a user name for Basic has no colon (RFC 7617)' };
  }
  if (authentication?.kind === 'bearer' && !/^[\x21-\x7e]+$/.test(authentication.token)) {
    return { field: 'authentication', message: 'a bearer token is printable ASCII without spaces' };
  }
  return mutualTls === undefined ? undefined : tlsFault(mutualTls);
}

function tlsFault({ certificate, privateKey, serverCa }: NonNullable<Access['mutualTls']>) {
  try {
    const matches = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    const isReadable = serverCa === '' || new X509Certificate(serverCa).raw.length > 0;
    if (matches && isReadable) return undefined;
  } catch {
    return { field: 'mutual_tls', message: 'certificate and key must be PEM texts, the key not encrypted' };
  }
  return { field: 'mutual_tls', message: 'the key is not that of the certificate' };
}
