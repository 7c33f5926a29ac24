// Who is signed in is the server's to know: the browser has a cookie that no script can read, and nothing secret is kept here.
// Tabs and history of the editor are kept in sessionStorage, which ends with the browser tab, because the configuration of a
// channel, secrets and all, may be typed into them.
const sessionURL = new URL('session', document.baseURI);

export const graphqlURL = new URL('graphql', document.baseURI);

sessionStorage.removeItem('rustbucket-alerts:token'); // former versions of this page kept it here

// What is typed belongs to a stay, which is from signing in to signing out in this tab. Numbers tell stays apart.
let stays = 0;
let current = null; // {id, viewer}; null when nobody is signed in

export const enter = (viewer) => (current = { id: ++stays, viewer });
export const leave = () => (current = null);
export function forget() {
  leave();
  sessionStorage.clear();
}

// The stay now that the browser is signed in as `viewer`, or, with null, is not: maybe another tab did that.
export function follow(viewer) {
  if (viewer && viewer.name === current?.viewer.name && viewer.role === current.viewer.role) return current;
  if (current) forget(); // somebody else's
  return viewer && enter(viewer);
}

// Where GraphiQL keeps what is typed during the stay `id`. It writes up to a second late, even after it was taken off the
// page: what comes after the end of the stay is dropped, or signing out would leave it all behind.
export const storageFor = (id) => ({
  getItem: (key) => sessionStorage.getItem(key),
  setItem(key, value) {
    if (current?.id === id) sessionStorage.setItem(key, value);
  },
  removeItem(key) {
    if (current?.id === id) sessionStorage.removeItem(key);
  },
  get length() {
    return sessionStorage.length;
  },
  clear() {
    if (current?.id === id) sessionStorage.clear();
  },
});

// All tabs have the same cookie: they hear when one of them changed it.
const tabs = new BroadcastChannel('rustbucket-alerts');

export function onChange(look) {
  const heard = ({ data }) => {
    if (data === 'signed out') forget();
    look();
  };
  tabs.addEventListener('message', heard);
  return () => tabs.removeEventListener('message', heard);
}

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

// Who is signed in; null when nobody is.
export const whoIs = () => ask('GET');

// Exchanges the token for the cookie. Throws Refused when it is nobody's.
export async function signIn(token) {
  const viewer = await ask('POST', { token });
  tabs.postMessage('signed in');
  return viewer;
}

export async function signOut() {
  await ask('DELETE');
  tabs.postMessage('signed out');
}

async function ask(method, given) {
  let response;
  let body = null;
  try {
    response = await fetch(sessionURL, {
      method,
      headers: given && { 'Content-Type': 'application/json' },
      body: given && JSON.stringify(given),
    });
    if (response.status !== 204) body = await response.json();
  } catch {
    throw new Error(response ? `The server answered with status ${response.status}.` : 'The server does not answer.');
  }
  if (response.status === 401) throw new Refused();
  if (!response.ok) throw new Error(body?.errors?.[0]?.message ?? `The server answered with status ${response.status}.`);
  return body;
}
