"use strict";
// Everything that comes from outside goes into text nodes and attributes, never into markup.

const POLL_MS = 5000;
const SOONEST_MS = 1000;
const EVENTS_SHOWN = 40;
const byId = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(stringOrNode));
  return made;
}

function stringOrNode(child) {
  return child instanceof Node ? child : String(child);
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function show(id, ...children) {
  byId(id).replaceChildren(...children);
}

// Words -------------------------------------------------------------------------------------------

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = Number(count) || 0;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} d`;
}

function instant(text) {
  return text ? text.replace("T", " ").replace(/(\.\d+)?(Z|\+00:00)$/, " UTC") : "–";
}

function words(name) {
  return String(name).replaceAll("_", " ");
}

const sum = (counts, ...names) => names.reduce((total, name) => total + (counts[name] || 0), 0);

// The parts of the page ---------------------------------------------------------------------------

function station(name, number, hint) {
  return el("li", { title: hint },
    el("span", { class: number ? "number" : "number none" }, number.toLocaleString("en")), name);
}

function road(status) {
  const { files, packages, bundles } = status;
  show("road",
    station("files filed", sum(files, "filed", "missing"), "Registered; the scanner looks for them"),
    station("scanned", sum(files, "scanned"), "Whole and quiet; waiting for a package"),
    station("planned", sum(files, "planned"), "Assigned to a package that is being written"),
    station("packages waiting", sum(packages, "planned", "waiting"), "In the first buffer, or being written"),
    station("transferring", sum(packages, "transferring"), "In a bundle on its way, or being verified"),
    station("bundles under way", sum(bundles, "pending", "scheduled", "in_progress"), "Not yet read at their destination"),
    station("archived", sum(packages, "archived"), "Packages proven to be in an archive"));
}

function fact(name, value, tone) {
  return el("div", null, el("dt", null, name), el("dd", { class: tone }, value));
}

function breakers(all) {
  const open = Object.entries(all).filter(([, circuit]) => circuit.state !== "closed");
  if (!open.length) return ["all closed", "good"];
  return [el("ul", { class: "plain" }, ...open.map(([key, circuit]) => el("li", { title: circuit.problem ? circuit.problem.remedy : "" },
    `${key} ${words(circuit.state)}`, circuit.problem ? `: ${circuit.problem.reason}` : ""))), "bad"];
}

function damaged(copies) {
  if (!copies.damaged) return "none";
  return copies.unrepairable ? `${copies.damaged}, ${copies.unrepairable} of them beyond repair` : `${copies.damaged}, being mended`;
}

function facts(status) {
  const oldest = status.oldest_unarchived;
  const stuck = sum(status.files, "missing", "refused") + sum(status.packages, "failed");
  show("facts",
    fact("Dead letters", status.dead_letters, status.dead_letters ? "bad" : "good"),
    fact("Breakers", ...breakers(status.breakers)),
    fact("Damaged archive copies", damaged(status.copies), status.copies.unrepairable ? "bad" : status.copies.damaged ? "warn" : "good"),
    fact("Oldest file not archived",
      oldest ? el("a", { href: `#explain=${oldest.file_id}` }, `${duration(oldest.age_s)} · ${oldest.path}`) : "none",
      oldest ? null : "good"),
    fact("Missing, refused or failed", stuck, stuck ? "bad" : "good"),
    fact("Files nobody filed", status.unfiled_files, status.unfiled_files ? "warn" : "good"),
    fact("Staging jobs", Object.entries(status.staging_jobs).map(([s, n]) => `${n} ${words(s)}`).join(", ") || "none"));
}

function services(status) {
  show("services", ...Object.entries(status.services).map(([name, alive]) =>
    el("li", { class: alive ? "pill good" : "pill bad" }, alive === 0 ? `${name}: not running` : alive === 1 ? name : `${name} × ${alive}`)));
}

function queues(status) {
  const sorted = [...status.queues].sort((a, b) => (b.waiting + b.in_hand) - (a.waiting + a.in_hand));
  show("queues", ...sorted.map((queue) => el("tr", null,
    el("td", null, `${queue.service} · ${words(queue.handler)}`),
    el("td", { class: "soft" }, queue.origin),
    el("td", { class: queue.waiting ? "warn" : "soft" }, queue.waiting),
    el("td", { class: queue.redelivered ? "bad" : queue.in_hand ? "good" : "soft" }, queue.in_hand),
    el("td", { class: "soft" }, duration(queue.oldest_s)))));
}

function bar(part, tone, label) {
  const width = Math.max(0, Math.min(100, part * 100));
  return svg("svg", { class: `bar ${tone}`, viewBox: "0 0 100 4", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { width: "100", height: "4", rx: "1" }),
    svg("rect", { class: "full", width: String(width), height: "4", rx: "1" }));
}

function disks(status) {
  show("disks", ...status.disks.map((disk) => {
    if (!disk.reachable) return el("li", { class: "bad" }, `${disk.location} cannot be reached`);
    const used = disk.total ? 1 - disk.free / disk.total : 1;
    const told = `${Math.round(used * 100)} % used, ${bytes(disk.free)} free`;
    return el("li", null,
      el("div", { class: "line" }, el("span", null, `${disk.location} (${words(disk.type)})`), el("span", { class: "soft" }, told)),
      bar(used, used > 0.9 ? "bad" : used > 0.75 ? "warn" : "", told));
  }));
}

function work(status) {
  const items = Object.entries(status.progress);
  show("work", ...(items.length ? items.map(([key, told]) => {
    const total = told.total ?? told.bytes ?? told.size ?? told.payload_bytes;
    const done = told.done ?? told.bytes_done ?? 0;
    const said = total ? `${bytes(done)} of ${bytes(total)}` : bytes(done);
    return el("li", null,
      el("div", { class: "line" }, el("span", null, words(key)), el("span", { class: "soft" }, said)),
      total ? bar(done / total, "", said) : null);
  }) : [el("li", { class: "soft" }, "Nothing that takes long.")]));
}

function projections(status) {
  show("projections", ...status.projections.map((one) => el("li", null, `${one.stream}: `,
    el("span", { class: one.behind ? "warn" : "good" },
      one.behind ? `${one.behind.toLocaleString("en")} events (${duration(one.behind_s)}) behind` : "up to date"),
    el("span", { class: "soft" }, ` at ${one.applied.toLocaleString("en")}`))));
}

function card(unit) {
  const title = unit.obs_unit || unit.target_name || unit.id;
  return el("li", null,
    el("h3", null, el("a", { href: `#explain=${unit.id}` }, title)),
    el("div", { class: "pictures" }, ...unit.pictures.map((picture) =>
      el("a", { href: `raw_data_files/${picture.file_id}/preview?v=${picture.etag}` },
        el("img", { src: `raw_data_files/${picture.file_id}/thumbnail?v=${picture.etag}`, alt: `A picture of ${title}`, loading: "lazy", width: "64", height: "64" })))),
    el("div", null, [unit.target_name, unit.instrument].filter(Boolean).join(" · ") || "–"),
    el("div", { class: "soft" }, `${instant(unit.start_time)} · ${words(unit.state || "not known yet")}`
      + (unit.file_count === null ? "" : ` · ${unit.file_count.toLocaleString("en")} ${unit.file_count === 1 ? "file" : "files"}`)));
}

let shownUnits = "";

async function recent() {
  const page = await ask("executed_obs_units?limit=12");
  const news = JSON.stringify(page.items);
  if (news === shownUnits) return;
  shownUnits = news;
  show("recent", ...(page.items.length ? page.items.map(card) : [el("li", { class: "soft" }, "None yet.")]));
}

// Explain -----------------------------------------------------------------------------------------

function table(headings, rows) {
  return el("div", { class: "scroll", tabindex: "0" }, el("table", null,
    el("thead", null, el("tr", null, ...headings.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", null, ...rows.map((row) => el("tr", null, ...row.map((cell) => el("td", null, cell)))))));
}

function since(waiting) {
  const waited = waiting.since ? ` since ${instant(waiting.since)} (${duration((Date.now() - Date.parse(waiting.since)) / 1000)})` : "";
  return waiting.by ? `${waited}, by ${waiting.by}${waiting.at ? ` at ${waiting.at}` : ""}` : waited;
}

function explained(found) {
  const close = el("button", { type: "button", class: "small" }, "Close");
  close.addEventListener("click", () => { location.hash = ""; });
  const parts = [
    el("div", { class: "head" },
      el("h3", { id: "explained" }, `${words(found.kind)} ${found.name}`, " ", el("span", { class: "pill" }, words(found.state))), close),
    el("p", null, el("code", null, found.id)),
    el("p", null, el("strong", null, "Waits: "), found.waiting.now, el("span", { class: "soft" }, since(found.waiting))),
    el("p", null, el("strong", null, "Then: "), found.waiting.next,
      found.waiting.next_at ? el("span", { class: "soft" }, ` ${instant(found.waiting.next_at)} at the latest`) : null),
  ];
  if (found.waiting.remedy) parts.push(el("p", { class: "warn" }, found.waiting.remedy));
  for (const one of found.obstacles) {
    parts.push(el("p", { class: one.kind === "queue" ? "soft" : "bad" }, `${one.problem.reason} `,
      el("span", { class: "soft" }, (one.since ? `since ${instant(one.since)} ` : "") + (one.next_at ? `tried again ${instant(one.next_at)}` : ""))));
    if (one.kind !== "queue") parts.push(el("p", { class: "warn" }, one.problem.remedy));
  }
  if (found.problem) parts.push(el("p", { class: "bad" }, `${found.problem.reason} (${found.problem.code})`));
  if (found.copies.length) {
    parts.push(el("h4", null, "Where"), table(["Location", "Path", "State", "Since", "Stays because"],
      found.copies.map((copy) => [copy.location, copy.path, words(copy.state), instant(copy.since), copy.stays_because ? copy.stays_because.reason : ""])));
  }
  if (found.timeline.length) {
    parts.push(el("h4", null, "What happened"), table(["When", "After", "Site", "Service", "Event"],
      found.timeline.map((step) => [instant(step.at), duration(step.after_s), step.site, step.service,
        step.event.replace(/^chasqui\./, "") + (step.times > 1 ? ` × ${step.times}` : "")])));
  }
  for (const [what, ids] of Object.entries(found.related)) {
    parts.push(el("h4", null, words(what)), el("p", null, ...ids.flatMap((id) => [el("a", { href: `#explain=${id}` }, el("code", null, id)), " "])));
  }
  return parts;
}

async function explainHash() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("explain");
  const section = byId("explanation");
  if (!wanted) { section.hidden = true; return; }
  byId("wanted").value = wanted;
  try {
    section.replaceChildren(...explained(await ask(`explain/${encodeURIComponent(wanted)}`)));
  } catch (error) {
    section.replaceChildren(el("p", { id: "explained", class: "bad" }, error.message));
  }
  section.hidden = false;
  section.scrollIntoView({ block: "nearest" });
}

// Talking to the gateway --------------------------------------------------------------------------

async function ask(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" } });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body && body.reason ? `${body.reason} ${body.remedy}` : `The gateway answers ${answer.status}.`);
  return body;
}

function notice(text) {
  const place = byId("notice");
  place.hidden = !text;
  if (place.textContent !== text) place.textContent = text;
}

let asking = false;
let again = false;

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const status = await ask("status");
    document.title = `Chasqui · ${status.site}`;
    byId("site").textContent = status.site;
    const at = byId("at");
    at.dateTime = status.at;
    at.textContent = instant(status.at);
    for (const part of [road, facts, services, queues, disks, work, projections]) part(status);
    await recent();
    notice("");
  } catch (error) {
    notice(error instanceof TypeError ? "The gateway cannot be reached; it is tried again." : error.message);
  } finally {
    asking = false;
  }
  if (again) { again = false; soon(); }
}

let due = null;

function soon() {
  if (due === null && !document.hidden) due = setTimeout(() => { due = null; refresh(); }, SOONEST_MS);
}

function happened(message) {
  const event = JSON.parse(message.data);
  const list = byId("events");
  list.prepend(el("li", null, el("span", { class: "soft" }, `${event.time.slice(11, 19)} ${event.site} `),
    event.type.replace(/^chasqui\./, ""), " ",
    /^[0-9a-f-]{36}$/.test(event.about) ? el("a", { href: `#explain=${event.about}` }, el("code", null, event.about.slice(0, 8))) : el("code", null, event.about)));
  while (list.childElementCount > EVENTS_SHOWN) list.lastElementChild.remove();
  soon();
}

function listen() {
  const link = byId("link");
  const feed = new EventSource("events");
  const say = (text, tone) => { link.textContent = text; link.className = `pill ${tone}`; };
  feed.addEventListener("open", () => say("live", "good"));
  feed.addEventListener("message", happened);
  feed.addEventListener("gap", soon);
  feed.addEventListener("error", () => {
    say(feed.readyState === EventSource.CLOSED ? "polling" : "reconnecting", "warn");
    if (feed.readyState === EventSource.CLOSED) setTimeout(listen, 3 * POLL_MS);
  });
}

byId("search").addEventListener("submit", (submitted) => {
  submitted.preventDefault();
  const hash = `#explain=${encodeURIComponent(byId("wanted").value.trim())}`;
  if (location.hash === hash) explainHash(); else location.hash = hash;
});
addEventListener("hashchange", explainHash);
document.addEventListener("visibilitychange", soon);
setInterval(() => { if (!document.hidden) refresh(); }, POLL_MS);
refresh();
listen();
explainHash();
