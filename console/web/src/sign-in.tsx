import { useRef, useState, type FormEvent } from 'react';
import icon from './icon.svg';
import { cleanToken, messages, signIn } from './api/session.ts';
import { licensesURL, playgroundURL } from './base.ts';
import { Button } from './ui/button.tsx';
import { useTitle } from './ui/page.tsx';

export function SignIn({ problem }: { problem: string }) {
  const field = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState('');
  const message = wrong || problem;

  useTitle('Sign in');

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const token = cleanToken(field.current!.value);
    if (!token) {
      setWrong('Enter a token first.');
      field.current!.focus();
      return;
    }
    setBusy(true);
    setWrong('');
    try {
      await signIn(token);
    } catch (error) {
      setWrong((error as Error).message);
    } finally {
      setBusy(false);
      field.current?.select();
    }
  };

  return (
    <main className="sign-in">
      <form method="post" onSubmit={submit} noValidate>
        <img src={icon} alt="" width="40" height="40" />
        <h1>Rustbucket Alerts</h1>
        <p className="muted">Sign in with a token. It is kept nowhere: in its place the browser gets a cookie that no script can read.</p>
        <label htmlFor="token">Token</label>
        <input
          id="token"
          ref={field}
          type="password"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          autoFocus
          placeholder="rba_…"
          aria-invalid={message !== ''}
          aria-describedby="problem"
        />
        <p id="problem" role="alert" className={message === messages.over ? 'notice' : 'problem'}>
          {message}
        </p>
        <Button type="submit" kind="primary" busy={busy}>
          Sign in
        </Button>
        <details>
          <summary>No token yet?</summary>
          <p>
            The server prints an admin token once, on its very first start; <code>ADMIN_TOKEN</code> in its environment sets one. For somebody
            else, or another role, on the server: <code>alerts token create --name NAME --role VIEWER</code>
          </p>
        </details>
      </form>
      <p className="muted small">
        <a href={playgroundURL()}>Playground</a> · <a href={licensesURL}>Licenses</a>
      </p>
    </main>
  );
}

