import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** Of the form below; a payload from before it is JSON, which begins with a brace. */
const COMPACT = 1;

/** What nearly every authorization has, the most frequent last. A form of another dictionary needs another first byte. */
const DICTIONARY = Buffer.from(
  '{"userinfo":{"id_token":{"essential":true},"acr":{"values":["email_verified":nullhttp://localhost/callback' +
    '"ui_locales":"max_age":"acr_values":"resource":"https://api."login_hint":"claims":"offline_access profile email' +
    '"iat":"exp":"returnTo":"https:///oauth2/authorize/"prompt":{"name":"login","reasons":["no_session"],"details":{}' +
    '"login_prompt"],"kind":"Interaction","uid":"cid":"lastSubmission":"trusted":[],"jti":"' +
    '"code_challenge_method":"S256","code_challenge":"nonce":"state":"scope":"openid","response_type":"code",' +
    '"redirect_uri":"https://{"client_id":"',
);

/**
 * An interaction in few bytes: anybody can make one. What was asked is deflated by itself, and the rest only as long as it holds
 * no session: who chooses the one must not learn of the other by its length.
 */
export function toCompact({ params, ...rest }: Readonly<Record<string, unknown>>): Buffer {
  const about = Buffer.from(JSON.stringify(rest));
  const secret = rest.session !== undefined;
  const head = secret ? about : deflate(about);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(COMPACT);
  // The lowest bit says whether the head is deflated.
  prefix.writeUInt32BE(head.length * 2 + (secret ? 0 : 1), 1);
  return Buffer.concat([prefix, head, deflate(Buffer.from(JSON.stringify(params ?? null)))]);
}

export function fromCompact(bytes: Buffer): Record<string, unknown> {
  if (bytes[0] !== COMPACT) return JSON.parse(bytes.toString()) as Record<string, unknown>;
  const length = bytes.readUInt32BE(1);
  const [start, end] = [5, 5 + Math.floor(length / 2)];
  const head = bytes.subarray(start, end);
  const rest = JSON.parse((length % 2 === 1 ? inflate(head) : head).toString()) as Record<string, unknown>;
  const params = JSON.parse(inflate(bytes.subarray(end)).toString()) as unknown;
  return params === null ? rest : { ...rest, params };
}

const deflate = (bytes: Buffer): Buffer => deflateRawSync(bytes, { dictionary: DICTIONARY, level: 6, memLevel: 5 });
/** It was sealed by us; the bound only keeps a mistake of ours small. */
const inflate = (bytes: Buffer): Buffer =>
  inflateRawSync(bytes, { dictionary: DICTIONARY, maxOutputLength: 1_048_576 });
