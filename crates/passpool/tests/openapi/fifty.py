"""Makes 50 reservations with a client that was generated from the server's own document, and nothing else."""

import sys

from passpool_client import Client
from passpool_client.api.reservations import get_reservation, reserve
from passpool_client.models import NewReservation, Reservation

address, key = sys.argv[1:]
client = Client(base_url=address, headers={"x-api-key": key}, raise_on_unexpected_status=True)
links = {}
for number in range(50):
    body = NewReservation(tags=["fifty"], count=1, note=f"number {number}")
    once = f"client-{number}"
    made = reserve.sync(client=client, body=body, idempotency_key=once)
    again = reserve.sync(client=client, body=body, idempotency_key=once)
    assert isinstance(made, Reservation) and made.to_dict() == again.to_dict(), (made, again)
    link = made.links[0].to_dict()
    assert link["passport_id"] not in links, "a passport was given twice"
    links[link["passport_id"]] = link["link"]
    found = get_reservation.sync(made.id, client=client)
    assert found.count == 1 and found.note == body.note, found
assert len(set(links.values())) == 50
print("50 reservations, 50 links")
