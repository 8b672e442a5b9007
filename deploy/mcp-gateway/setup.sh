#!/usr/bin/env bash
# Makes what the gateway needs: keys for its parties, their registration, a policy, an action type for each tool, and a
# standing grant for the agent, which everything that it does is below: revoke that, and it can do nothing more.
#
#     setup.sh FOLDER LOG-URL VKEY REGISTRAR-KEY
set -euo pipefail
[ $# -eq 4 ] || { echo "setup: error: want FOLDER LOG-URL VKEY REGISTRAR-KEY" >&2; exit 2; }
folder=$1 log=$2 vkey=$3 registrar=$4
writ() { npx writ "$@" >&2; }

mkdir -p "$folder"
for party in agent:agent engine:policy-engine authority:authority executor:executor owner:owner; do
  name=${party%%:*} role=${party#*:}
  writ keys new "$folder/$name.key" --name "mcp://$name"
  writ keys register "$folder/$name.key.pub" --registrar "$registrar" --role "$role" --log "$log" --key "$vkey"
done

# Signs a record of a type by a party, logs it, and prints its record id.
record() {
  local type=$1 by=$2; shift 2
  npx writ sign --type "$type" "$@" --key "$folder/$by.key" -o "$folder/$type.dsse"
  writ submit "$folder/$type.dsse" --log "$log" --key "$vkey"
}

policy=$(npx writ digest "$(dirname "$0")/policy.js")     # the policy is its source
tests=$(npx writ digest "$(dirname "$0")/test.js")
record policy owner --set policy_digest="$policy" policy_version=1 owner=mcp://owner effective_from=-60s >/dev/null
for tool in list_tables drop_tables; do
  record action-type owner --set action_type=tool.$tool version=1 owner=mcp://owner escalation_path:='["mcp://owner"]' \
    conflict_rule="the owner decides" risk_tier:=2 test_suite_digest="$tests" receipt_schema_digest="$tests" >/dev/null
done

constraints='{"environment_denylist":["production"]}'
request=$(record action-request agent --set delegator_id=mcp://owner action_type=tool.drop_tables target:='{"environment":["staging"]}' \
  constraints:="$constraints" policy_version=1 requested_at=now)
decision=$(record policy-decision engine --set request_hash="$request" policy_digest="$policy" decision=allow decided_at=now)
standing=$(record capability-grant authority --set request_hash="$request" decision_hash="$decision" \
  permitted_action:='{"action_type":"tool.drop_tables","target":{"environment":["staging"]},"constraints":'"$constraints"'}' \
  audience=mcp://executor nonce=standing-1 expiry=+86400s max_uses:=1000 revocation_registry="${vkey%%+*}")

cat > "$folder/boundary.json" <<JSON
{
  "log": "$log",
  "key": "$vkey",
  "origin": "${vkey%%+*}",
  "delegator": "mcp://owner",
  "policy_version": "1",
  "policy_digest": "$policy",
  "constraints": $constraints,
  "standing_grants": { "tool.drop_tables": "$standing" },
  "budget": { "*": { "proposal": 50, "decision": 50, "grant": 50, "consumption": 100, "receipt": 1000 } }
}
JSON
echo "$standing"
