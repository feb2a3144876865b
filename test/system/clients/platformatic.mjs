// @platformatic/kafka: writes to a topic. node platformatic.mjs BOOTSTRAP TOPIC
import { Producer, stringSerializers } from '@platformatic/kafka'

const [bootstrap, topic] = process.argv.slice(2)
const producer = new Producer({ clientId: 'system-test', bootstrapBrokers: bootstrap.split(','), serializers: stringSerializers })
for (let i = 0; i < 300; i += 50) {
  await producer.send({ messages: [...Array(50).keys()].map(j => ({ topic, key: `k${i + j}`, value: `value ${i + j}`, headers: { h: 'x' } })),
    acks: -1, compression: ['none', 'gzip', 'none'][i / 50 % 3] })
}
await producer.close()
