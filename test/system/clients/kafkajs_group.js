// kafkajs: two members of a group read a topic of 300 records to its end, commit, leave; the admin client looks at the group.
// node kafkajs_group.js BOOTSTRAP TOPIC GROUP
const { Kafka, logLevel } = require('kafkajs')

async function main ([bootstrap, topic, groupId]) {
  const kafka = new Kafka({ clientId: 'system-test', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
  const seen = new Map()
  let done
  const all = new Promise(resolve => { done = resolve })
  const members = [kafka.consumer({ groupId, heartbeatInterval: 300 }), kafka.consumer({ groupId, heartbeatInterval: 300 })]
  for (const member of members) {
    await member.connect()
    await member.subscribe({ topic, fromBeginning: true })
    await member.run({ eachMessage: async ({ partition, message }) => {
      seen.set(`${partition}-${message.offset}`, message.value.toString())
      if (seen.size === 300) done()
    } })
  }
  await all
  const admin = kafka.admin()
  await admin.connect()
  const listed = (await admin.listGroups()).groups.some(group => group.groupId === groupId)
  for (const member of members) await member.disconnect()
  const described = (await admin.describeGroups([groupId])).groups[0]
  const offsets = await admin.fetchOffsets({ groupId, topics: [topic] })
  console.log(JSON.stringify({
    seen: seen.size,
    listed,
    state: described.state,
    committed: offsets[0].partitions.reduce((sum, row) => sum + Number(row.offset), 0)
  }))
  await admin.deleteGroups([groupId])
  await admin.disconnect()
}

main(process.argv.slice(2)).catch(error => { console.error(error); process.exit(1) })
