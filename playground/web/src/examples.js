// What a new tab shows, and the tabs of a first visit. Short lines: the editor is narrow beside the docs.
export const newTab = `# Ctrl-Enter runs, Ctrl-Space completes.
# The book on the left describes everything.

`;

export const examples = [
  `# Report an alert: it is stored,
# and every channel that matches is told.
mutation CreateAlert {
  createAlert(
    input: {
      type: "error"
      severity: HIGH
      message: "Rustbucket node1 is not responding"
      rustbucket: {
        id: "BKT123456"
        name: "Production Node 1"
      }
    }
  ) {
    id
    createdAt
    occurrences
    routing {
      channel { name type }
      willNotify
      reason
    }
  }
}
`,
  `# The newest alerts,
# and what became of each on every channel.
query Alerts {
  alerts(first: 20, filter: { minSeverity: LOW }) {
    totalCount
    nodes {
      id
      type
      severity
      message
      isResolved
      createdAt
      rustbucket { id name }
      deliveries {
        channel { name type }
        status
        attempts
        nextAttemptAt
        error
        attemptLog {
          number
          startedAt
          durationMs
          statusCode
          error
          response
        }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
  `# Everything as it happens, in order.
# Hand a cursor back as \`after\` to go on behind it.
subscription Feed {
  feed {
    cursor
    kind
    at
    alert { id type severity message isResolved }
    delivery { id status attempts error }
    attempt { number statusCode durationMs error }
  }
}
`,
  `# A delivery after each attempt and at its end.
subscription Deliveries {
  deliveryUpdated(
    filter: { statuses: [PENDING, DELIVERED, FAILED] }
  ) {
    id
    status
    attempts
    nextAttemptAt
    error
    alert { id message }
    channel { name type }
  }
}
`,
  `# A channel that POSTs alerts as JSON
# to an endpoint of yours.
mutation CreateWebhookChannel {
  createChannel(
    input: {
      name: "My endpoint"
      minSeverity: MEDIUM
      alertTypes: []
      config: {
        webhook: {
          url: "https://alerts.example.com/hook"
          headers: { Authorization: "Bearer change-me" }
        }
      }
    }
  ) {
    id
    name
    config {
      ... on WebhookConfig {
        url
        headers
        signingSecret
      }
    }
  }
}
`,
].map((query) => ({ query }));
