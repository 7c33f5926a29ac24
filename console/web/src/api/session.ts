// Who is signed in is the server's to know: the browser has a cookie that no script can read, and nothing secret is kept here.
import type { Role } from '../gql/graphql.ts';
import { sessionURL } from '../base.ts';
import { Store } from '../lib/store.ts';

export type Viewer = { name: string; role: Role };

// undefined until it is known; null when nobody is signed in, and why if it was not the wish of whoever sits here.
export type Session = { viewer: Viewer | null | undefined; problem: string };

export const session = new Store<Session>({ viewer: undefined, problem: '' });

export const messages = {
  over: 'The server no longer accepts your session: it has lasted 12 hours, or your token has expired or was revoked. Sign in again to go on where you were.',
  wrong: 'This token is not valid: it is mistyped, expired or revoked.',
  reporter:
    'This token has the role REPORTER: it may report alerts, and cannot read them. Sign in with a token of the role VIEWER, ANALYST or ADMIN.',
};

// All tabs have the same cookie: they hear when one of them changed it. The playground is among them.
const tabs = new BroadcastChannel('rustbucket-alerts');

const again = 2000; // ms, until a server that did not answer is asked again

// Finds out who is signed in, now and whenever another tab has signed in or out.
export function followSession() {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;
  const look = async () => {
    const turn = ++asked;
    clearTimeout(timer);
    try {
      const viewer = await ask('GET');
      if (turn === asked) enter(viewer);
    } catch (error) {
      if (turn !== asked) return;
      session.set({ ...session.get(), problem: (error as Error).message });
      timer = setTimeout(look, again);
    }
  };
  tabs.addEventListener('message', look);
  return look();
}

// Exchanges the token for the cookie.
export async function signIn(token: string) {
  const viewer = await ask('POST', { token });
  if (viewer?.role === 'REPORTER') await ask('DELETE');
  else tabs.postMessage('signed in');
  enter(viewer);
}

export async function signOut() {
  await ask('DELETE');
  tabs.postMessage('signed out');
  session.set({ viewer: null, problem: '' });
}

// The server has said that the session is over.
export function sessionOver() {
  if (session.get().viewer) session.set({ viewer: null, problem: messages.over });
}

function enter(viewer: Viewer | null) {
  const now = session.get().viewer;
  if (viewer?.role === 'REPORTER') session.set({ viewer: null, problem: messages.reporter });
  else if (viewer && now && viewer.name === now.name && viewer.role === now.role) return;
  else session.set({ viewer, problem: '' });
}

// What a pasted token comes down to: people copy the whole header, too.
export const cleanToken = (text: string) => text.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');

async function ask(method: 'GET' | 'POST' | 'DELETE', given?: object): Promise<Viewer | null> {
  let response: Response | undefined;
  let body: { errors?: { message: string }[] } | Viewer | null = null;
  try {
    response = await fetch(sessionURL, {
      method,
      ...(given && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(given) }),
    });
    if (response.status !== 204) body = await response.json();
  } catch {
    throw new Error(response ? `The server answered with status ${response.status}.` : 'The server does not answer.');
  }
  if (response.status === 401) throw new Error(messages.wrong);
  if (!response.ok) {
    const told = body && 'errors' in body ? body.errors?.[0]?.message : undefined;
    throw new Error(told ?? `The server answered with status ${response.status}.`);
  }
  return body as Viewer | null;
}
