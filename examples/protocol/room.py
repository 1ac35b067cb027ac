#!/usr/bin/env python3
"""A client of the protocol mafalda.v1, written from lib/PROTOCOL.md alone, with Python's own library.

    python3 examples/protocol/room.py ws://127.0.0.1:4000 [--json compact|spaced|sorted]

Makes a room, sends RTP through it, loses its connection, resumes the session, and closes it.
"""

import argparse, base64, hashlib, json, os, secrets, socket, struct
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ACK_FRAMES = 8  # The protocol asks for 512 at most.

STYLES = {
    'compact': dict(separators=(',', ':')),
    'spaced': dict(),
    'sorted': dict(sort_keys=True, indent=1),
}


class WebSocket:
    """RFC 6455, as far as a client needs it."""

    def __init__(self, url, timeout=30):
        host, port = urlsplit(url).hostname, urlsplit(url).port or 80
        self.socket = socket.create_connection((host, port), timeout)
        self.reader = self.socket.makefile('rb')
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f'GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
            f'Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n'
            'Sec-WebSocket-Protocol: mafalda.v1\r\n\r\n').encode())
        status = self.reader.readline().decode().strip()
        headers = dict(line.decode().strip().lower().split(': ', 1) for line in iter(self.reader.readline, b'\r\n'))
        assert status.startswith('HTTP/1.1 101'), f'{status}: {headers}'
        expected = hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
        assert headers['sec-websocket-accept'] == base64.b64encode(expected).decode().lower()

    def send(self, opcode, payload):
        size = len(payload)
        length = struct.pack('!B', 128 | size) if size < 126 else \
            struct.pack('!BH', 128 | 126, size) if size < 65536 else struct.pack('!BQ', 128 | 127, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([128 | opcode]) + length + mask + masked)

    def receive(self):
        """The next message. Pings are answered."""
        message, kind = b'', None
        while True:
            first, size = self.read(2)
            size = {126: lambda: struct.unpack('!H', self.read(2))[0],
                    127: lambda: struct.unpack('!Q', self.read(8))[0]}.get(size, lambda: size)()
            payload, opcode = self.read(size), first & 15
            if opcode == PING: self.send(PONG, payload)
            elif opcode == CLOSE: raise ConnectionError(f'closed: {payload!r}')
            elif opcode != PONG:
                message, kind = message + payload, opcode or kind
                if first & 128: return kind, message

    def read(self, size):
        data = self.reader.read(size)
        if len(data) < size: raise ConnectionError('the connection broke')
        return data

    def cut(self):
        self.reader.close()
        self.socket.close()


class Session:
    """One session, on one connection after the other. Both ends count its frames."""

    def __init__(self, url, style):
        self.url, self.style = url, style
        self.key = {'session': secrets.token_urlsafe(12), 'secret': secrets.token_urlsafe(24)}
        self.sent, self.received, self.answers, self.events, self.next_id = [], 0, {}, [], 0
        self.connect({'received': 0})

    def connect(self, opening):
        """The first frame says which session this is; the answer, how many of our frames the tier has."""
        self.socket = WebSocket(self.url)
        self.write(self.message('tier.open', [{**self.key, **opening}], id=0))
        answer = json.loads(self.socket.receive()[1])
        if 'error' in answer: raise RuntimeError(answer['error'])
        for frame in self.sent[answer['result']['received']:]: self.write(frame)

    def resume(self):
        self.connect({'received': self.received, 'resume': True})

    def message(self, method, params, id=None):
        head = {'jsonrpc': '2.0', **({} if id is None else {'id': id}), 'method': method, 'params': params}
        return json.dumps(head, **STYLES[self.style]).encode()

    def write(self, frame):
        self.socket.send(BINARY if isinstance(frame, tuple) else TEXT, b''.join(frame) if isinstance(frame, tuple) else frame)

    def send(self, frame):
        self.sent.append(frame)
        self.write(frame)

    def request(self, method, *params):
        self.next_id += 1
        self.send(self.message(method, list(params), self.next_id))
        return self.next_id

    def notify(self, method, *params):
        self.send(self.message(method, list(params)))

    def send_bytes(self, method, handle, data):
        header = self.message(method, [handle, {'$': 'payload'}])
        self.send((struct.pack('!H', len(header)), header, data))

    def result(self, id):
        while id not in self.answers: self.receive()
        answer = self.answers.pop(id)
        if 'error' in answer: raise RuntimeError(answer['error'])
        return answer['result']

    def call(self, method, *params):
        return self.result(self.request(method, *params))

    def wait_for(self, method):
        while not any(event['method'] == method for event in self.events): self.receive()
        return next(event for event in self.events if event['method'] == method)

    def receive(self):
        kind, data = self.socket.receive()
        payload = None
        if kind == BINARY:
            end = 2 + struct.unpack('!H', data[:2])[0]
            data, payload = data[2:end], data[end:]
        message = json.loads(data)
        if message.get('method') == 'tier.ack': return
        self.received += 1
        if self.received % ACK_FRAMES == 0: self.acknowledge()
        if 'method' not in message: self.answers[message['id']] = message
        else: self.events.append({**message, 'payload': payload})

    def acknowledge(self):
        self.write(self.message('tier.ack', [self.received]))

    def close(self):
        self.socket.send(CLOSE, struct.pack('!H', 1000))
        self.socket.cut()


def rtp(sequence):
    return struct.pack('!BBHII', 128, 111, sequence, sequence * 960, 11111111) + b'some opus'


def main(url, style):
    session = Session(url, style)
    hello = session.call('tier.hello', {})
    print('mediasoup', hello['mediasoup'])

    opus = {'kind': 'audio', 'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2, 'preferredPayloadType': 100}
    worker = session.call('mediasoup.createWorker', {})['$']
    router = session.call('Worker.createRouter', worker, {'mediaCodecs': [opus], 'appData': {'room': 'one'}})
    here, there = (session.call('Router.createDirectTransport', router['$'], {})['$'] for _ in range(2))
    producer = session.call('DirectTransport.produce', here, {'kind': 'audio', 'rtpParameters': {
        'codecs': [{'mimeType': 'audio/opus', 'payloadType': 111, 'clockRate': 48000, 'channels': 2}],
        'encodings': [{'ssrc': 11111111}]}})
    consumer = session.call('DirectTransport.consume', there, {
        'producerId': producer['members']['id'], 'rtpCapabilities': router['members']['rtpCapabilities']})
    print('consuming', consumer['members']['kind'])
    session.send_bytes('Producer.send', producer['$'], rtp(1))
    assert session.wait_for('Consumer.rtp')['payload'].endswith(b'some opus')
    print('heard RTP')

    # The answer to the first call is lost with the connection, and the second call is not sent at all.
    session.acknowledge()
    pausing = session.request('Producer.pause', producer['$'])
    session.socket.cut()
    closing = session.message('DirectTransport.close', [here])
    session.sent.append(closing)
    session.resume()
    session.result(pausing)
    session.wait_for('Consumer.producerclose')
    dump = session.call('Router.dump', router['$'])
    assert len(dump['transportIds']) == 1 and dump['id'] == router['members']['id'], dump
    print('resumed')

    for _ in range(3 * ACK_FRAMES): session.call('Router.dump', router['$'])
    session.acknowledge()
    session.socket.cut()
    session.resume()
    session.call('Router.dump', router['$'])
    session.close()
    print('closed')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('url')
    parser.add_argument('--json', choices=STYLES, default='compact', help='how messages are written')
    arguments = parser.parse_args()
    main(arguments.url, arguments.json)
