"""The expected table, written by hand beside the rules in words: who may do what; `own`: narrowed to it where the organization says so."""

ROLES = ["admin", "organizer", "course_manager", "instructor"]
STAFF = ["support", "finance", "auditor", "superuser"]
#                                 admin  organizer  course_m.  instructor | support  finance  auditor  superuser
TABLE = {
    "organization.view": "           yes    yes        yes        yes          yes      yes      yes      yes",
    "organization.edit": "           yes    no         no         no           yes      no       no       yes",
    "member.view": "                 yes    yes        yes        yes          yes      yes      yes      yes",
    "event.view": "                  yes    own        no         no           yes      yes      yes      yes",
    "event.manage": "                yes    own        no         no           yes      no       no       yes",
    "registration.view": "           yes    own        no         no           yes      yes      yes      yes",
    "registration.manage": "         yes    own        no         no           yes      no       no       yes",
    "payment.view": "                yes    own        no         no           yes      yes      yes      yes",
    "payment.refund": "              yes    own        no         no           no       yes      no       yes",
    "refund.approve": "              no     no         no         no           no       yes      no       yes",
    "refund.retry": "                no     no         no         no           no       yes      no       yes",
    "dispute.answer": "              yes    own        no         no           no       yes      no       yes",
    "connect.view": "                yes    no         no         no           yes      yes      yes      yes",
    "connect.manage": "              yes    no         no         no           yes      no       no       yes",
    "payout.view": "                 yes    no         no         no           no       yes      yes      yes",
    "payout.request": "              yes    no         no         no           no       yes      no       yes",
    "payout.approve": "              no     no         no         no           no       yes      no       yes",
    "ledger.view": "                 no     no         no         no           yes      yes      yes      yes",
    "reconciliation.run": "          no     no         no         no           no       yes      no       yes",
    "discrepancy.fix": "             no     no         no         no           no       yes      no       yes",
    "period.close": "                no     no         no         no           no       yes      no       yes",
    "inbound_event.view": "          no     no         no         no           yes      yes      yes      yes",
    "inbound_event.replay": "        no     no         no         no           yes      yes      no       yes",
    "job.view": "                    no     no         no         no           yes      yes      yes      yes",
    "job.retry": "                   no     no         no         no           yes      yes      no       yes",
    "message.view": "                no     no         no         no           yes      yes      yes      yes",
    "audit.view": "                  yes    no         no         no           yes      yes      yes      yes",
    "user.view": "                   no     no         no         no           yes      yes      yes      yes",
    "fee.edit": "                    no     no         no         no           no       yes      no       yes",
    "list.export": "                 yes    yes        no         no           yes      yes      yes      yes",
}  # fmt: skip
STEP_UP = {
    "dispute.answer",
    "payment.refund",
    "refund.approve",
    "refund.retry",
    "payout.request",
    "payout.approve",
    "list.export",
    "discrepancy.fix",
    "period.close",
    "fee.edit",
}
