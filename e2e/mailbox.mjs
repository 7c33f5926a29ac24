// A mail server that takes every mail, and what a mail program makes of one.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Stream } from './wait.mjs';

export class Mailbox {
  mails = new Stream('the mailbox'); // {to, header, text, html}
  #listener = createServer((socket) => this.#talk(socket));

  // Starts one that ends when the test `t` is over.
  static async start(t) {
    const mailbox = new Mailbox();
    mailbox.#listener.listen(0, '127.0.0.1');
    await once(mailbox.#listener, 'listening');
    t.after(() => mailbox.#listener.close());
    return mailbox;
  }

  // The settings of a server that sends here.
  get env() {
    return { EMAIL_HOST: '127.0.0.1', EMAIL_PORT: String(this.#listener.address().port), DEFAULT_FROM_EMAIL: 'Rustbucket Alerts <alerts@example.com>' };
  }

  #talk(socket) {
    let to = [];
    let lines = null; // of a message
    let rest = '';
    const say = (line) => socket.write(`${line}\r\n`);
    socket.setEncoding('latin1').on('error', () => {});
    socket.on('data', (data) => {
      const parts = (rest + data).split('\r\n');
      rest = parts.pop();
      for (const line of parts) {
        if (lines && line !== '.') {
          lines.push(line.replace(/^\./, ''));
          continue;
        }
        if (lines) {
          this.mails.push({ to, ...read(lines) });
          [to, lines] = [[], null];
          say('250 taken');
          continue;
        }
        const verb = line.split(' ')[0].toUpperCase();
        if (verb === 'RCPT') to.push(line.match(/<(.*?)>/)[1]);
        if (verb === 'DATA') lines = [];
        say({ DATA: '354 go on', QUIT: '221 bye' }[verb] ?? '250 fine');
      }
    });
    say('220 mailbox');
  }
}

function read(lines) {
  const [header, rest] = split(lines);
  const boundary = `--${header['content-type'].match(/boundary="?([^";]+)/)[1]}`;
  const mail = { header };
  let part = null;
  for (const line of rest) {
    if (line === boundary || line === `${boundary}--`) {
      if (part) {
        const [{ 'content-type': kind }, body] = split(part);
        mail[kind.startsWith('text/html') ? 'html' : 'text'] = unquote(body);
      }
      part = [];
    } else {
      part?.push(line);
    }
  }
  return mail;
}

// The header, unfolded and by names in lower case, and the lines behind it.
function split(lines) {
  const end = lines.indexOf('');
  const header = {};
  for (const line of lines.slice(0, end).join('\n').replace(/\n(?=[ \t])/g, '').split('\n')) {
    const [, name, value] = line.match(/^([^:]+): (.*)$/s);
    header[name.toLowerCase()] = value.replace(/=\?UTF-8\?Q\?(.*?)\?=(?: (?==\?))?/g, (_, word) => unquote([word.replaceAll('_', ' ')]));
  }
  return [header, lines.slice(end + 1)];
}

// Quoted-printable, of UTF-8.
function unquote(lines) {
  const bytes = lines
    .join('\n')
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
