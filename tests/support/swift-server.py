"""
OpenStack Swift in one process, with its S3 door open: `python3 swift-server.py FOLDER` keeps everything in FOLDER and
prints the port. It ends when its standard input does.
"""
import os
import sys

import eventlet

eventlet.monkey_patch()

from eventlet import tpool, wsgi
from swift.common import utils

folder = sys.argv[1]
kinds = ('account', 'container', 'object')
sockets = {kind: eventlet.listen(('127.0.0.1', 0)) for kind in (*kinds, 'proxy')}
port_of = lambda kind: sockets[kind].getsockname()[1]

with open(f'{folder}/swift.conf', 'w') as conf:
    conf.write('[swift-hash]\nswift_hash_path_suffix = test\nswift_hash_path_prefix = test\n')
utils.set_swift_dir(folder)

# They look for the configuration as they are imported.
from swift.common.ring import RingBuilder
from swift.common.wsgi import loadapp

common = f'[DEFAULT]\ndevices = {folder}/devices\nmount_check = false\nswift_dir = {folder}\n'
pipeline = 's3api tempauth proxy-server'
for kind in kinds:
    os.makedirs(f'{folder}/devices/disk', exist_ok=True)
    builder = RingBuilder(2, 1, 1)
    place = {'ip': '127.0.0.1', 'port': port_of(kind), 'device': 'disk'}
    builder.add_dev({'region': 1, 'zone': 1, 'weight': 1, **place})
    builder.rebalance()
    builder.get_ring().save(f'{folder}/{kind}.ring.gz')
    with open(f'{folder}/{kind}.conf', 'w') as conf:
        conf.write(f'{common}[pipeline:main]\npipeline = {kind}-server\n')
        conf.write(f'[app:{kind}-server]\nuse = egg:swift#{kind}\n')
with open(f'{folder}/proxy.conf', 'w') as conf:
    conf.write(f'{common}[pipeline:main]\npipeline = {pipeline}\n')
    conf.write('[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n')
    conf.write('[filter:s3api]\nuse = egg:swift#s3api\nlocation = us-east-1\n')
    conf.write('[filter:tempauth]\nuse = egg:swift#tempauth\nuser_test_tester = testing .admin\n')


class Cache(dict):
    """What memcached is to Swift."""

    def __bool__(self):
        return True

    def get(self, key, **_):
        return dict.get(self, key)

    def set(self, key, value, **_):
        self[key] = value

    def delete(self, key, **_):
        self.pop(key, None)

    def incr(self, key, delta=1, **_):
        self[key] = int(dict.get(self, key) or 0) + delta
        return self[key]


cache = Cache()


def with_cache(app):
    def call(env, start):
        env['swift.cache'] = cache
        return app(env, start)

    return call


quiet = open(os.devnull, 'w')
for kind, socket in sockets.items():
    app = with_cache(loadapp(f'{folder}/{kind}.conf', global_conf={'log_name': kind}))
    eventlet.spawn(wsgi.server, socket, app, quiet)
print(f'listening {port_of("proxy")}', flush=True)
tpool.execute(sys.stdin.read)
os._exit(0)
