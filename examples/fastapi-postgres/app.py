"""Payments that happen exactly once: the effect and the mark commit in one transaction of PostgreSQL.

WEBHOOK_SECRET=whsec_... DATABASE_URL=postgresql://localhost/shop uvicorn app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from hookproof import AsyncClaim, Delivery, Receiver
from hookproof.fastapi import receive
from hookproof.stores.postgres import AsyncPostgresStore

pool = AsyncConnectionPool(os.environ["DATABASE_URL"], open=False)
store = AsyncPostgresStore(pool, scope="shop")
receiver = Receiver("standard-webhooks", os.environ["WEBHOOK_SECRET"], store=store)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with pool:
        await store.create()
        async with pool.connection() as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS balances (account text PRIMARY KEY, cents bigint)")
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/webhooks/payments")
@receive(receiver)
async def on_payment(delivery: Delivery, claim: AsyncClaim) -> None:
    payment = delivery.json()["data"]
    # Whatever goes wrong until the end of this block, a crash included, nothing of it has happened.
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO balances VALUES (%s, %s) ON CONFLICT (account) DO UPDATE SET cents = balances.cents + %s",
            (payment["account"], payment["cents"], payment["cents"]),
        )
        await claim.complete_in(connection)


@app.get("/balances/{account}")
async def balance(account: str) -> int:
    async with pool.connection() as connection:
        found = await connection.execute("SELECT cents FROM balances WHERE account = %s", (account,))
        row = await found.fetchone()
    return row[0] if row else 0
