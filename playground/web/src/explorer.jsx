import './workers.js';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import { useGraphiQL } from '@graphiql/react';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { useEffect, useState } from 'react';
import { examples, newTab } from './examples.js';
import { forgetLink, graphqlURL, linkedTab, storageFor } from './session.js';

// The close codes that say that the session is over.
const refusals = new Set([4401, 4403]);

// A fetcher that goes by the session cookie: queries and mutations over HTTP, subscriptions over a WebSocket that comes back by itself.
function connect(onRefused, onLink) {
  const socketURL = new URL(graphqlURL);
  socketURL.protocol = socketURL.protocol === 'https:' ? 'wss:' : 'ws:';
  const wsClient = createClient({
    url: socketURL.href,
    keepAlive: 15_000,
    retryAttempts: Infinity,
    shouldRetry: (event) => !refusals.has(event?.code),
    on: {
      connected: () => onLink('live'),
      closed: (event) => {
        if (refusals.has(event?.code)) onRefused();
        onLink(event?.code === 1000 ? '' : 'reconnecting');
      },
    },
  });
  const send = createGraphiQLFetcher({
    url: graphqlURL.href,
    wsClient,
    enableIncrementalDelivery: false,
    async fetch(url, init) {
      const response = await fetch(url, init);
      if (response.status === 401) onRefused();
      return response;
    },
  });
  // GraphiQL's own idea of the operation lags behind the editor: just after a tab was opened it is the one before. What is
  // sent decides.
  const fetcher = (params, options) => {
    const documentAST = operationsOf(params.query);
    const names = documentAST?.definitions.map(({ name }) => name?.value);
    const operationName = !names || names.includes(params.operationName) ? params.operationName : names[0];
    return send({ ...params, operationName }, { ...options, documentAST });
  };
  return { fetcher, close: () => wsClient.dispose() };
}

function operationsOf(query) {
  try {
    const document = parse(query);
    const definitions = document.definitions.filter(({ kind }) => kind === 'OperationDefinition');
    return { ...document, definitions };
  } catch {
    return undefined; // the server says what is wrong with it
  }
}

// Tells, from within GraphiQL, when it has made all its editors.
function Editors({ onReady }) {
  const ready = useGraphiQL((state) => Boolean(state.queryEditor && state.variableEditor && state.responseEditor));
  useEffect(() => {
    if (ready) onReady(true);
  }, [ready, onReady]);
  return null;
}

export default function Explorer({ stay, onRefused, onLink }) {
  const [link, setLink] = useState(null);
  const [ready, setReady] = useState(false);
  const [storage] = useState(() => storageFor(stay));
  const [linked] = useState(linkedTab); // opened in a tab of its own, and never run by itself
  useEffect(() => {
    const opened = connect(onRefused, onLink);
    setLink(opened);
    return () => {
      opened.close();
      onLink('');
    };
  }, [onRefused, onLink]);

  useEffect(() => {
    if (ready) forgetLink();
  }, [ready]);

  if (!link) return null;
  return (
    // GraphiQL shows its tabs before it has loaded its editors. A tab that is opened by then never reaches them: they
    // would show, run and save the text of the tab before under the name of the new one.
    <div className="explorer" inert={!ready}>
      <GraphiQL
        fetcher={link.fetcher}
        storage={storage}
        shouldPersistHeaders={false}
        showPersistHeadersSettings={false}
        isHeadersEditorEnabled={false}
        defaultQuery={newTab}
        // On a first visit the tabs are these; later on the linked one comes behind those that were open.
        defaultTabs={linked ? [linked, ...examples] : examples}
        initialQuery={linked?.query}
        initialVariables={linked?.variables}
        schemaDescription
        inputValueDeprecation
      >
        <Editors onReady={setReady} />
        <GraphiQL.Logo>
          <span />
        </GraphiQL.Logo>
      </GraphiQL>
    </div>
  );
}
