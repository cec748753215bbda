/* groovylint-disable JavaIoPackageAccess */
// What configuration as code cannot say: the gateway's API token, and the agent's secret, which only Jenkins knows.
import hudson.model.User
import jenkins.model.Jenkins
import jenkins.security.ApiTokenProperty

// The token is made by make secrets and the same at every start: 11 and 32 hexadecimal digits.
User user = User.getById('epochal', true)
ApiTokenProperty property = user.getProperty(ApiTokenProperty) ?: new ApiTokenProperty()
def old = property.tokenStore.tokenListSortedByName.findAll { it.name == 'gateway' }
old.each { property.tokenStore.revokeToken(it.uuid) }
property.tokenStore.addFixedNewToken('gateway', new File('/run/secrets/jenkins_token').text.trim())
user.addProperty(property)
user.save()

new File('/srv/agent/secret').text = Jenkins.get().getComputer('agent-1').jnlpMac
