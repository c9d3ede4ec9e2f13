// The check-in desk. Every check-in is kept in the browser until the server has answered it: without a connection it waits, and is sent
// again under the same key, which the server knows as the same check-in.

const TICKET = "cpd1.";
const RETRY = 4000;
const SAME_TICKET = 3000;
const main = document.getElementById("main");
const api = main.dataset.api;
const form = document.getElementById("desk");
const shown = (id) => document.getElementById(id);
const store = `desk:${main.dataset.event}`;

let memory = [];
let sending = false;
let later = 0;
let isNew = false;
let lastTicket = { text: "", at: 0 };

function queue() {
    try {
        return JSON.parse(localStorage.getItem(store)) ?? [];
    } catch {
        return memory;
    }
}

function keep(items) {
    memory = items;
    try {
        localStorage.setItem(store, JSON.stringify(items));
    } catch {
        // no room, or storage is off: it is kept as long as this page is open
    }
}

function say(sentence, tone) {
    const place = shown("outcome");
    place.textContent = sentence;
    place.className = `note ${tone}`;
    place.hidden = false;
}

function sayWaiting(why) {
    const count = queue().length;
    const place = shown("waiting");
    place.hidden = !count && !why;
    const waits = count === 1 ? "1 check-in waits" : `${count} check-ins wait`;
    place.textContent = count ? `${why} ${waits} in this browser; keep the page.`.trim() : why;
}

function key() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(method, address, body) {
    const answer = await fetch(address, {
        method,
        headers: { "Content-Type": "application/json", "X-CSRFToken": main.querySelector("[name=csrfmiddlewaretoken]").value },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(10000),
    });
    if (answer.status >= 500 || answer.status === 429) throw new Error("not now");
    return { status: answer.status, data: await answer.json() };
}

function line(text, action, doIt) {
    const row = document.createElement("li");
    const words = document.createElement("span");
    words.textContent = text;
    row.append(words);
    if (action) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "second";
        button.textContent = action;
        button.setAttribute("aria-label", `${action}: ${text}`);
        button.addEventListener("click", () => doIt(row, button));
        row.append(button);
    }
    return row;
}

function letIn(made) {
    shown("nobody").hidden = true;
    shown("log").prepend(line(made.name, "Undo", (row, button) => undo(made, row, button)));
    say(`${made.name} is checked in.`, "good");
}

async function undo(made, row, button) {
    button.disabled = true;
    try {
        const { status, data } = await ask("DELETE", `${api}/${made.id}`);
        if (status < 300 || data.error.code === "CHECK_IN_UNDONE") {
            row.remove();
            say(`${made.name} is not checked in any more.`, "warn");
        } else {
            say(data.error.message, "bad");
        }
    } catch {
        say("There is no connection now; undo it once there is one.", "bad");
        button.disabled = false;
    }
}

function add(item, name) {
    if (item.ticket && queue().some((other) => other.ticket === item.ticket && other.session === item.session)) {
        say("This ticket waits to be sent already.", "warn");
        return;
    }
    keep([...queue(), { ...item, at: new Date().toISOString(), request_key: key() }]);
    say(name ? `${name}: sending…` : "Sending…", "");
    isNew = true;
    flush();
}

async function flush() {
    if (sending) return;
    sending = true;
    let why = "";
    while (queue().length) {
        const [item] = queue();
        let answer;
        try {
            answer = await ask("POST", api, item);
        } catch {
            why = "No connection.";
            if (isNew) say("Kept here; it is sent as soon as there is a connection.", "warn");
            isNew = false;
            break;
        }
        if (answer.status === 401 || answer.data.error?.code === "CSRF_FAILED") {
            why = "You are signed out: sign in again in another tab, then reload this page.";
            break;
        }
        keep(queue().filter((other) => other.request_key !== item.request_key));
        if (answer.status < 300) letIn(answer.data);
        else say(answer.data.error.message, "bad");
    }
    sending = false;
    sayWaiting(why);
    clearTimeout(later);
    if (queue().length) later = setTimeout(flush, RETRY);
}

async function search(text) {
    const session = shown("session").value;
    let found;
    try {
        found = await ask("GET", `${api}?${new URLSearchParams({ search: text, session })}`);
    } catch {
        say("There is no connection now; scan the ticket, it is kept here.", "bad");
        return;
    }
    if (found.status >= 300) {
        say(found.data.error.message, "bad");
        return;
    }
    const people = found.data.items;
    shown("found-section").hidden = false;
    shown("found").replaceChildren(
        ...people.map((person) => {
            const text = `${person.name}, ${person.email}`;
            if (person.check_in) return line(`${text}: checked in already`);
            if (person.state !== "confirmed") return line(`${text}: not confirmed`);
            return line(text, "Check in", (row) => {
                row.remove();
                add({ registration: person.registration, session: shown("session").value }, person.name);
            });
        }),
    );
    say(people.length ? `${people.length} found.` : "Nobody of that name or address is registered.", people.length ? "" : "bad");
}

function read(text) {
    text = text.trim();
    if (!text.startsWith(TICKET)) return text ? search(text) : undefined;
    const now = Date.now();
    if (text === lastTicket.text && now - lastTicket.at < SAME_TICKET) return undefined;  // a camera sees one ticket many times
    lastTicket = { text, at: now };
    return add({ ticket: text, session: shown("session").value });
}

async function watch() {
    const picture = shown("picture");
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    try {
        picture.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
        say("The camera cannot be used: allow it for this page, or use a scanner.", "bad");
        return;
    }
    picture.hidden = false;
    await picture.play();
    const look = async () => {
        for (const code of await detector.detect(picture).catch(() => [])) {
            if (code.rawValue.startsWith(TICKET)) read(code.rawValue);
            else say("This is no ticket of ours; look the person up by name.", "bad");
        }
        setTimeout(look, 250);
    };
    look();
}

if (form) {
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const who = shown("who");
        read(who.value);
        who.value = "";
        who.focus();
    });
    // A scanner types like a keyboard, wherever the focus is.
    document.addEventListener("keydown", (event) => {
        if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.target === document.body) shown("who").focus();
    });
    window.addEventListener("online", flush);
    if ("BarcodeDetector" in window && navigator.mediaDevices) {
        shown("camera").hidden = false;
        shown("camera").addEventListener("click", (event) => {
            event.target.hidden = true;
            watch();
        });
    }
    flush();
}
