"use strict";
// The page works without this; it only shows that something is under way, and copies the token.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});
const link = document.querySelector("[data-copy-token]");
link?.addEventListener("click", async (event) => {
  if (!navigator.clipboard) return;
  event.preventDefault();
  const { token } = await (await fetch(link.href)).json();
  await navigator.clipboard.writeText(token);
  link.textContent = "Token copied";
});
