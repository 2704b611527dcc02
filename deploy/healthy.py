"""Whether an address of this container answers 200: `python -I -S healthy.py PORT [PATH]`; a port alone when no path.

Asked every few seconds in every container, so it is made to be cheap: one import and no interpreter start-up files.
"""

import socket
import sys

ANSWER_S = 10


def main(port: int, path: str = "") -> int:
    """0 if it answers, 1 if it says otherwise; an error of the connection ends the process with a trace."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_S) as connection:
        if not path:
            return 0
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.recv(4096)
    sys.stdout.write(answer.decode(errors="replace"))
    return 0 if b" 200 " in answer.split(b"\r\n", 1)[0] else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
