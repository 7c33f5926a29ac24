// An HTTP endpoint on loopback that keeps what it gets and answers as it is told.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Stream } from './wait.mjs';

export class Receiver {
  requests = new Stream('the receiver'); // {headers, body, alert}
  answer = () => 200; // (request) => status, or {status, headers, body}; may be async

  static async start(t) {
    const receiver = new Receiver();
    const http = createServer(async (request, response) => {
      let body = '';
      try {
        for await (const piece of request.setEncoding('utf8')) body += piece;
      } catch {
        return; // the sender was killed
      }
      const received = { method: request.method, path: request.url, headers: request.headers, body, alert: JSON.parse(body) };
      receiver.requests.push(received);
      const answer = await receiver.answer(received);
      const { status, headers, body: text } = typeof answer === 'number' ? { status: answer } : answer;
      response.writeHead(status, headers).end(text);
    });
    http.keepAliveTimeout = 0; // who has stood still for a while would close a connection in which a request is on its way
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    t.after(async () => {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    });
    receiver.url = `http://127.0.0.1:${http.address().port}/hook`;
    return receiver;
  }
}
