/** A small API behind Gatehouse: `ISSUER=… RESOURCE=… PORT=8080 node server.ts` */
import express from 'express';
import type { Options } from '../node/gatehouse.ts';
import { gatehouse } from './gatehouse.ts';

const {
  ISSUER = 'http://localhost:3000',
  RESOURCE = 'http://localhost:8080/v1',
  MODE = 'auto',
  CLIENT_ID = '',
  CLIENT_SECRET = '',
  PORT = '8080',
} = process.env;

const auth = gatehouse({
  issuer: ISSUER,
  resource: RESOURCE,
  mode: MODE as Options['mode'],
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  scopes: ['read', 'write'],
});
const notes: { by: string; text: string }[] = [];

const app = express();
app.disable('x-powered-by');
app.use(auth.middleware);
app.get('/health', (_, response) => void response.json({ ok: true }));
// Any valid credential. The names show what reaches a handler.
app.get('/v1/whoami', auth.requireScopes(), (request, response) => {
  response.json({ auth: request.auth, headers: Object.keys(request.headers) });
});
app.get('/v1/notes', auth.requireScopes('read'), (_, response) => void response.json({ notes }));
// The credential is checked before the body is read.
app.post('/v1/notes', auth.requireScopes('write'), express.json(), (request, response) => {
  notes.push({ by: request.auth?.subject ?? '', text: String(request.body?.text) });
  response.status(201).json(notes.at(-1));
});
app.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));
