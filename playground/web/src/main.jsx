import './main.css';
import { lazy, StrictMode, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import icon from './icon.svg';
import { cleanToken, forget, forgetToken, Refused, savedToken, saveToken, whoIs } from './session.js';

const load = () => import('./explorer.jsx');
const Explorer = lazy(load);

const readme = 'https://github.com/rustbucket/alerts#readme';
const licenses = new URL('playground/licenses.md', document.baseURI).href;

const wrongToken = 'This token is not valid: it is mistyped, expired or revoked.';

function App() {
  const [session, setSession] = useState(null); // {token, viewer} once signed in
  const [busy, setBusy] = useState(() => savedToken() !== null);
  const [problem, setProblem] = useState('');
  const [link, setLink] = useState('');

  const signIn = useCallback(async (token) => {
    setBusy(true);
    setProblem('');
    try {
      const viewer = await whoIs(token);
      saveToken(token);
      setSession({ token, viewer });
    } catch (error) {
      if (error instanceof Refused) forgetToken();
      setProblem(error instanceof Refused ? wrongToken : error.message);
    } finally {
      setBusy(false);
    }
  }, []);

  const signOut = useCallback(() => {
    forget();
    setSession(null);
    setProblem('');
  }, []);

  const onRefused = useCallback(() => {
    forgetToken();
    setSession(null);
    setProblem('The server no longer accepts your token: it has expired or was revoked. Sign in again to go on.');
  }, []);

  useEffect(() => {
    if (savedToken() !== null) signIn(savedToken());
    load(); // meanwhile, so that it is there after signing in
  }, [signIn]);

  return (
    <>
      <header className="bar">
        <span className="brand">
          <img src={icon} alt="" width="22" height="22" />
          <h1>Rustbucket Alerts</h1>
          <a href={readme} target="_blank" rel="noreferrer">
            README
          </a>
        </span>
        {session ? (
          <Account viewer={session.viewer} link={link} onSignOut={signOut} />
        ) : (
          <SignIn busy={busy} problem={problem} onSubmit={signIn} />
        )}
      </header>
      <main>
        {session ? (
          <Suspense fallback={<p className="note">Loading…</p>}>
            <Explorer key={session.token} token={session.token} onRefused={onRefused} onLink={setLink} />
          </Suspense>
        ) : (
          <Welcome />
        )}
      </main>
    </>
  );
}

function SignIn({ busy, problem, onSubmit }) {
  const field = useRef(null);
  const [empty, setEmpty] = useState(false);
  useEffect(() => {
    if (problem) field.current.select();
  }, [problem]);
  const message = empty ? 'Enter a token first.' : problem;

  const submit = (event) => {
    event.preventDefault();
    const token = cleanToken(field.current.value) || (problem && savedToken()) || '';
    setEmpty(token === '');
    if (token) onSubmit(token);
    else field.current.focus();
  };
  return (
    <form className="account" method="post" onSubmit={submit}>
      <p id="problem" role="alert" className="problem">
        {message}
      </p>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        ref={field}
        type="password"
        autoComplete="off"
        autoCapitalize="off"
        spellCheck="false"
        autoFocus
        aria-invalid={message !== ''}
        aria-describedby="problem"
      />
      <button type="submit" disabled={busy}>
        {busy ? 'Signing in…' : 'Sign in'}
      </button>
    </form>
  );
}

const links = { live: 'Live', reconnecting: 'Connection lost, trying again…' };

function Account({ viewer, link, onSignOut }) {
  return (
    <div className="account">
      <span role="status" className={`link ${link}`}>
        {links[link]}
      </span>
      <span className="viewer">
        {viewer.name} <span className="role">{viewer.role}</span>
      </span>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
    </div>
  );
}

function Welcome() {
  return (
    <div className="welcome">
      <h2>Playground</h2>
      <p>
        Try the GraphQL API here: queries, mutations and live subscriptions, with the whole schema described. Sign in with
        a token to begin.
      </p>
      <dl>
        <dt>No token yet?</dt>
        <dd>
          The server prints an admin token once, on its very first start; <code>ADMIN_TOKEN</code> in its environment sets
          one.
        </dd>
        <dt>Somebody else, or another role?</dt>
        <dd>
          On the server: <code>alerts token create --name NAME --role VIEWER</code>
        </dd>
        <dt>What is kept?</dt>
        <dd>The token and what you type, in this browser tab alone, until you close it or sign out.</dd>
      </dl>
      <p className="small">
        Docs: <a href={readme}>README</a> · <a href={licenses}>Licenses</a> of the parts of this page
      </p>
    </div>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
