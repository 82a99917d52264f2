// What the handlers did, counted in one place: a Worker runs in many, and none of them remembers.
export class Effects {
  #storage;

  constructor(state) {
    this.#storage = state.storage;
  }

  async fetch(request) {
    const seen = await this.#storage.list();
    if (request.method === "GET") return Response.json(Object.fromEntries([...seen].filter(([, count]) => count > 0)));
    const { event, failOnce } = await request.json();
    const fails = failOnce && !seen.has(event);
    await this.#storage.put(event, fails ? 0 : (seen.get(event) ?? 0) + 1);
    return new Response(null, { status: fails ? 500 : 204 });
  }
}
