// Everything that the playground remembers lives in sessionStorage: it ends with the browser tab. Tabs and history are
// kept there too, because the configuration of a channel, secrets and all, may be typed into them.
const tokenKey = 'rustbucket-alerts:token';

export const graphqlURL = new URL('graphql', document.baseURI);

export const savedToken = () => sessionStorage.getItem(tokenKey);
export const saveToken = (token) => sessionStorage.setItem(tokenKey, token);
export const forget = () => sessionStorage.clear();
export const forgetToken = () => sessionStorage.removeItem(tokenKey);

// Where GraphiQL keeps what is typed while signed in with `token`. It writes up to a second late, even after it was taken
// off the page: what comes after the end of the session is dropped, or signing out would leave it all behind.
export const storageFor = (token) => ({
  getItem: (key) => sessionStorage.getItem(key),
  setItem(key, value) {
    if (savedToken() === token) sessionStorage.setItem(key, value);
  },
  removeItem(key) {
    if (savedToken() === token) sessionStorage.removeItem(key);
  },
  get length() {
    return sessionStorage.length;
  },
  // GraphiQL's "clear storage" must not sign out.
  clear() {
    for (const key of Object.keys(sessionStorage)) {
      if (key !== tokenKey) sessionStorage.removeItem(key);
    }
  },
});

// The query that the page was opened with (?query=…&variables=…), as links in messages do. It waits here until somebody is signed
// in, and is opened once.
const address = new URLSearchParams(location.search);
let linked = address.get('query') && { query: address.get('query'), variables: address.get('variables') ?? '' };

export const linkedTab = () => linked;

// The tab is open: a reload is not to open it again.
export function forgetLink() {
  if (!linked) return;
  linked = null;
  history.replaceState(null, '', location.pathname);
}

export class Refused extends Error {}

// What a pasted token comes down to: people copy the whole header, too.
export const cleanToken = (text) => text.trim().replace(/^(authorization:\s*)?bearer\s+/i, '');

// Asks the server whose token this is. Throws Refused when it is nobody's.
export async function whoIs(token) {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Refused();
  let response;
  let body;
  try {
    response = await fetch(graphqlURL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { name role } }' }),
    });
    body = await response.json();
  } catch {
    throw new Error(response ? `The server answered with status ${response.status}.` : 'The server does not answer.');
  }
  if (response.status === 401) throw new Refused();
  if (!body?.data?.viewer) {
    throw new Error(body?.errors?.[0]?.message ?? `The server answered with status ${response.status}.`);
  }
  return body.data.viewer;
}
