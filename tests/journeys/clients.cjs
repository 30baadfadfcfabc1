// Providers' own libraries for Node, as whoever calls the local cloud. Reads what to do from the
// standard input, and writes what came of it to the standard output, both JSON.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const asked = JSON.parse(readFileSync(0, "utf8"));
const library = createRequire(`${asked.folder}/`);

async function post(path, body, headers) {
  const answer = await fetch(asked.url + path, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  return answer.status;
}

async function segment({ key }) {
  const { Analytics } = library("@segment/analytics-node");
  const failures = [];
  const client = new Analytics({ writeKey: key, host: asked.url, path: "/webhooks/segment/v1/batch" });
  client.on("error", (error) => failures.push(String(error.reason ?? error)));
  client.identify({ userId: "u-2", traits: { email: "awa@example.com" } });
  client.track({ userId: "u-2", event: "Product Viewed", properties: { sku: "kettle-17" } });
  client.page({ userId: "u-2", name: "Panier" });
  await client.closeAndFlush();
  return failures;
}

async function stripe({ secret, event }) {
  const { webhooks } = new (library("stripe"))("sk_test_local");
  const payload = JSON.stringify(event);
  const header = webhooks.generateTestHeaderString({ payload, secret });
  return [
    await post("/webhooks/stripe", payload, { "stripe-signature": header }),
    await post("/webhooks/stripe", `${payload} `, { "stripe-signature": header }),
  ];
}

async function standardWebhooks({ secret, body }) {
  const { Webhook } = library("standardwebhooks");
  const now = new Date();
  const headers = {
    "webhook-id": "msg_node",
    "webhook-timestamp": String(Math.floor(now / 1000)),
    "webhook-signature": new Webhook(secret).sign("msg_node", now, body),
  };
  return [
    await post("/webhooks/standard_webhooks/till", body, headers),
    await post("/webhooks/standard_webhooks/till", body, { ...headers, "webhook-id": "msg_2" }),
  ];
}

async function told({ secret, deliveries }) {
  const { Webhook } = library("standardwebhooks");
  const read = deliveries.map(({ body, headers }) => new Webhook(secret).verify(body, headers).type);
  const [{ body, headers }] = deliveries;
  try {
    new Webhook(secret).verify(body.replace("ticket_id", "Ticket_id"), headers);
    return [...read, "forged"];
  } catch {
    return read;
  }
}

async function postmark({ token, host, mail }) {
  const { ServerClient } = library("postmark");
  const options = { requestHost: host, useHttps: false };
  const sent = await new ServerClient(token, options).sendEmail(mail);
  const refused = await new ServerClient("nobody's", options).sendEmail(mail).catch((error) => error);
  return { id: sent.MessageID, code: sent.ErrorCode, refused: [refused.name, refused.code] };
}

async function mailgun({ key, base, domain, mail }) {
  const Mailgun = library("mailgun.js");
  const client = (given) =>
    new (Mailgun.default ?? Mailgun)(FormData).client({ username: "api", key: given, url: base });
  mail.attachment.data = Buffer.from(mail.attachment.data, "base64");
  const sent = await client(key).messages.create(domain, mail);
  const refused = await client("nobody's").messages.create(domain, mail).catch((error) => error);
  return { id: sent.id, message: sent.message, refused: refused.status };
}

const able = { segment, stripe, standardWebhooks, told, postmark, mailgun };

(async () => {
  const done = {};
  for (const [name, given] of Object.entries(asked.todo)) done[name] = await able[name](given);
  process.stdout.write(JSON.stringify(done));
})();
