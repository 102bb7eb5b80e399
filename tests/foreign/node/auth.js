"use strict";

/** The uid of a Firebase ID token of the Auth emulator, which carries no signature; undefined when it is not good. */
function userOf(header, project) {
  const [scheme, token, ...rest] = (header ?? "").split(" ");
  const parts = (token ?? "").split(".");
  if (scheme.toLowerCase() !== "bearer" || rest.length > 0 || parts.length !== 3) return undefined;
  let claims;
  try {
    claims = JSON.parse(Buffer.from(parts[1], "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  if (claims === null || typeof claims !== "object" || typeof claims.sub !== "string" || claims.sub === "") return undefined;
  const right = claims.aud === project && claims.iss === `https://securetoken.google.com/${project}`;
  return right && typeof claims.exp === "number" && claims.exp > Date.now() / 1000 ? claims.sub : undefined;
}

module.exports = { userOf };
