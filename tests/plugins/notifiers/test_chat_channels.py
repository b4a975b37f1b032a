"""Slack, Teams and Discord: the words stay words, an alert has one place, limits are kept."""

import json

import pytest
from pydantic import ValidationError

from hub import NotReady, Recipient
from plugins.notifiers import discord, slack, teams
from plugins.notifiers.discord import Discord, DiscordConfig
from plugins.notifiers.slack import Slack, SlackConfig
from plugins.notifiers.teams import Teams, TeamsConfig
from tests.plugins.notifiers.provider_servers import (
    BOT_TOKEN,
    DiscordServer,
    SlackServer,
    TeamsServer,
)

HOSTILE = "<!channel> @everyone *bold* _it_ `code` <@U1> [a](http://x) # > | ~s~ {{DATE(1)}} &amp;"
SIGNATURE = "the-signature-of-the-workflow"


@pytest.fixture
def notice(notice):
    """A notice to nobody with an address of their own here."""

    def made(**changes):
        return notice(**{"to": (), **changes})

    return made


@pytest.fixture
async def run(context):
    """Starts servers and notifiers; ends them in turn."""
    running = []

    async def started(one):
        await one.start()
        running.append(one)
        return one

    yield started
    for one in reversed(running):
        await (one.close if hasattr(one, "close") else one.stop)()


@pytest.fixture
async def workspace(run):
    """Slack."""
    return await run(SlackServer())


@pytest.fixture
async def bot(run, workspace, context):
    """A bot in Slack."""
    config = SlackConfig(server=f"{workspace.url}/api", token=BOT_TOKEN, channel="#alerts")
    return await run(Slack(config, context))


@pytest.fixture
async def guild(run):
    """Discord."""
    return await run(DiscordServer())


@pytest.fixture
async def in_discord(run, guild, context):
    """A webhook in Discord."""
    return await run(Discord(DiscordConfig(webhook=f"{guild.url}{guild.path}"), context))


@pytest.fixture
async def tenant(run):
    """Teams."""
    return await run(TeamsServer())


@pytest.fixture
async def in_teams(run, tenant, context):
    """A workflow in Teams."""
    return await run(Teams(TeamsConfig(webhook=f"{tenant.url}/flow?sig={SIGNATURE}"), context))


def dismissed(notice, **changes):
    """The verdict that an alert was none."""
    base = {"key": "v", "about": "verdict", "title": "False alarm: Person",
            "data": {"verdict": "dismissed", "by": "sro"}}  # fmt: skip
    return notice(**{**base, **changes})


async def test_slack_by_webhook(run, workspace, context, notice):
    """One message in blocks of plain text, and the link; Slack takes it and tells nothing more."""
    hook = f"{workspace.url}/services/T0/B0/secret"
    made = await run(Slack(SlackConfig(webhook=hook), context))
    receipt = await made.send(notice(picture="https://hub.example/p/1"))
    (sent,) = workspace.taken
    assert receipt.state == "accepted"
    assert sent["blocks"][0]["text"]["text"] == "Person in the closed science wing"
    links = [each["text"] for each in sent["blocks"][2]["elements"]]
    assert links[0] == "<http://hub.example/alerts/alert-1|Open the alert>"
    assert links[1] == "<https://hub.example/p/1|Picture (after signing in)>"
    workspace.forced = [(404, "no_service", {})]
    receipt = await made.send(notice(key="2"))
    assert (receipt.state, "make a new webhook" in receipt.detail) == ("failed", True)
    assert "not tried" in (await made.probe()).found


async def test_an_alert_in_slack_can_be_taken_on(workspace, context, notice):
    """Where somebody hears it: a button under each alert, none under what came of it."""
    config = SlackConfig(server=f"{workspace.url}/api", token=BOT_TOKEN, channel="#alerts",
                         button=True)  # fmt: skip
    made = Slack(config, context)
    await made.start()
    try:
        await made.send(notice(to=()))
        await made.send(notice(key="n-2", about="verdict", to=(), data={"verdict": "unsure"}))
    finally:
        await made.close()
    first, second = workspace.taken
    (button,) = first["blocks"][-1]["elements"]
    assert (button["action_id"], button["value"]) == ("take_on", "notice-1")
    assert "actions" not in {block["type"] for block in second["blocks"]}


async def test_in_slack_all_words_stay_words(bot, workspace, notice):
    """Nobody is called and nothing is formatted by what an alert is named."""
    await bot.send(notice(title=HOSTILE, text=HOSTILE))
    (sent,) = workspace.taken
    assert "<" not in sent["text"]
    assert sent["text"].startswith("&lt;!channel&gt; @everyone *bold*")
    assert (sent["parse"], sent["link_names"], sent["mrkdwn"]) == ("none", False, False)
    for block in sent["blocks"][:2]:
        assert (block["text"]["type"], block["text"]["emoji"]) == ("plain_text", False)
        assert "<" not in block["text"]["text"]


async def test_slack_s_link_cannot_break_out(bot, workspace, notice):
    """Whatever stands in an address, the label behind it is ours."""
    await bot.send(notice(link="http://hub.example/x|<!channel>"))
    (link,) = workspace.taken[0]["blocks"][2]["elements"]
    assert link["text"] == "<http://hub.example/x%7C%3C!channel%3E|Open the alert>"


async def test_law_4_a_verdict_comes_into_the_thread_the_channel_and_the_first_message(
    bot, workspace, notice, context, run
):
    """Also after a restart: whoever reads only the first message reads how it ended."""
    await bot.send(notice())
    await bot.close()
    again = Slack(bot._config, context)
    await run(again)
    await again.send(dismissed(notice))
    first, verdict = workspace.taken
    assert (verdict["thread_ts"], verdict["reply_broadcast"]) == (first["ts"], True)
    (changed,) = workspace.updated
    assert (changed["ts"], changed["channel"]) == (first["ts"], "C0123456789")
    head = changed["blocks"][0]["text"]["text"]
    assert head == "False alarm: Person (was: Person in the closed science wing)"


async def test_a_first_message_that_cannot_be_changed_costs_no_verdict(bot, workspace, notice):
    """The thread has it; nothing is sent twice because of the mark."""
    await bot.send(notice())
    workspace.updated = None  # the server then fails to answer `chat.update`
    assert (await bot.send(dismissed(notice))).state == "accepted"
    assert len(workspace.taken) == 2


async def test_a_thread_that_is_gone_or_locked_costs_no_verdict(bot, workspace, notice):
    """Somebody has deleted or locked it: what comes later stands in the channel by itself."""
    await bot.send(notice())
    workspace.forced = [(200, '{"ok": false, "error": "restricted_action_thread_locked"}', {})]
    assert (await bot.send(dismissed(notice))).state == "accepted"
    assert "thread_ts" not in workspace.taken[1]
    workspace.forced = [(200, '{"ok": false, "error": "channel_not_found"}', {})] * 2
    assert (await bot.send(dismissed(notice, key="again"))).state == "failed"


async def test_each_person_s_own_channel_is_told_once(bot, workspace, notice):
    """A contact is a channel or a member; one that the bot cannot enter is named, with the way."""
    people = (Recipient("a", "A", "U0123456789"), Recipient("b", "B", "C9999"))
    receipt = await bot.send(notice(to=people))
    assert [each["channel"] for each in workspace.taken] == ["U0123456789"]
    assert "invite the bot" in receipt.detail


async def test_slack_says_no_with_200_and_may_say_later(bot, workspace, notice, run, context):
    """A wrong token is a failure; what Slack calls passing may be tried again."""
    wrong = SlackConfig(server=f"{workspace.url}/api", token="xoxb-0000000000-x", channel="C1")
    receipt = await (await run(Slack(wrong, context))).send(notice())
    assert (receipt.state, "correct `token`" in receipt.detail) == ("failed", True)
    for answer in (
        (200, '{"ok": false, "error": "internal_error"}', {}),
        (200, "<html>", {}),
        (429, '{"ok": false, "error": "ratelimited"}', {"Retry-After": "0"}),
    ):
        workspace.forced = [answer]
        with pytest.raises(NotReady):
            await bot.send(notice())


async def test_a_slack_probe_signs_in_and_posts_nothing(bot, workspace, context, run):
    """It names the bot and its workspace, or says that the token is wrong."""
    assert "knows the bot vestibule of Example school" in (await bot.probe()).found
    wrong = SlackConfig(server=f"{workspace.url}/api", token="xoxb-0000000000-x", channel="C1")
    said = await (await run(Slack(wrong, context))).probe()
    assert (said.works, said.remedy) == (False, "correct `token`")
    assert workspace.taken == []


async def test_teams_shows_a_card_of_plain_lines(in_teams, tenant, notice):
    """Adaptive Card 1.4 whose texts are runs, in which no markup and no function is read."""
    receipt = await in_teams.send(notice(title=HOSTILE, text=f"{HOSTILE}\nsecond"))
    card = tenant.taken[0]["attachments"][0]["content"]
    lines = [each["inlines"][0]["text"] for each in card["body"]]
    assert receipt.state == "accepted"
    assert lines[0] == HOSTILE
    assert lines[1:3] == [HOSTILE, "second"]
    assert {each["type"] for each in card["body"]} == {"RichTextBlock"}
    assert card["body"][0]["inlines"][0]["color"] == "Attention"
    assert card["actions"][0]["url"] == "http://hub.example/alerts/alert-1"


async def test_a_workflow_s_address_is_used_as_it_was_written(tenant, context, notice, run):
    """Its signature is over every character; what is over is shown in another colour."""
    query = f"sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&x=a%2Bb%20c+d&sig={SIGNATURE}"
    made = await run(Teams(TeamsConfig(webhook=f"{tenant.url}/a%2Fb/?{query}"), context))
    assert (await made.send(dismissed(notice))).state == "accepted"
    assert tenant.raw == [f"/a%2Fb/?{query}"]
    card = tenant.taken[0]["attachments"][0]["content"]
    assert card["body"][0]["inlines"][0]["color"] == "Good"


@pytest.mark.parametrize("letter", ["x", "字", "🚪", "\\", "a\n"])
async def test_a_card_never_outgrows_what_teams_takes(in_teams, tenant, notice, letter):
    """28 KB with all that JSON makes of the characters."""
    assert (await in_teams.send(notice(text=letter * 20_000))).state == "accepted"
    assert len(json.dumps(tenant.taken[0])) <= 28_000


async def test_a_workflow_that_is_gone_says_what_happened_to_it(tenant, context, notice, run):
    """They belong to a person; the detail says so, and holds no signature."""
    config = TeamsConfig(webhook=f"{tenant.url}/flow?sig=an-old-signature")
    made = await run(Teams(config, context))
    receipt = await made.send(notice())
    assert receipt.state == "failed"
    assert "belongs to a person" in receipt.detail
    assert "an-old-signature" not in f"{receipt} {config!r}"
    assert "not tried" in (await made.probe()).found
    tenant.forced = [(502, "", {})]
    with pytest.raises(NotReady):
        await made.send(notice())


async def test_in_discord_all_words_stay_words(in_discord, guild, notice):
    """Nobody is called by a name, every mark is escaped, and what telephones show is the title."""
    receipt = await in_discord.send(notice(title=HOSTILE, text=HOSTILE, place=HOSTILE))
    (sent,) = guild.taken
    assert (receipt.state, receipt.id) == ("accepted", "1")
    assert sent["allowed_mentions"] == {"parse": []}
    assert sent["content"].startswith(r"\<!channel\> \@everyone \*bold\* \_it\_ \`code\`")
    assert r"\[a\]\(http\://x\)" in sent["embeds"][0]["description"]
    assert sent["embeds"][0]["url"] == "http://hub.example/alerts/alert-1"


async def test_law_4_discord_s_first_message_says_how_it_ended(
    in_discord, guild, notice, context, run
):
    """The verdict is a message of its own, and is put into the first one, after a restart too."""
    await in_discord.send(notice())
    config = DiscordConfig(webhook=f"{guild.url}{guild.path}", thread="123456789012345678")
    again = await run(Discord(config, context))
    await again.send(dismissed(notice))
    assert guild.taken[1]["thread"] == "123456789012345678"
    ((number, changed),) = guild.changed
    assert number == guild.taken[0]["id"]
    assert changed["embeds"][0]["title"].startswith(r"False alarm\: Person \(was\: Person in")
    guild.forced = [(200, '{"id": "9"}', {}), (500, "", {})]
    assert (await again.send(dismissed(notice, key="v2"))).state == "accepted"


@pytest.mark.parametrize("letter", ["x", "*", "🚪", "@"])
async def test_discord_s_limits_are_kept_with_all_marks_escaped(in_discord, guild, notice, letter):
    """256 of title, 4096 of text, 2000 of content."""
    long = letter * 20_000
    assert (await in_discord.send(notice(title=long, text=long, place=long))).state == "accepted"
    assert len(guild.taken[0]["embeds"][0]["title"]) > 250


async def test_discord_s_refusals_and_waits(in_discord, guild, notice, context, run):
    """A webhook that was deleted is a failure with what to do; a rate limit is a wait."""
    gone = await run(Discord(DiscordConfig(webhook=f"{guild.url}/api/webhooks/1/gone"), context))
    receipt = await gone.send(notice())
    assert (receipt.state, "make a new webhook" in receipt.detail) == ("failed", True)
    assert not (await gone.probe()).works
    assert "knows the webhook Alerts" in (await in_discord.probe()).found
    assert guild.taken == []
    guild.forced = [(429, '{"message": "limited", "retry_after": 1.2, "global": false}', {})]
    with pytest.raises(NotReady, match="wait 2 s"):
        await in_discord.send(notice())
    await context.clock.advance(2)
    guild.forced = [(200, "<html>", {})]
    with pytest.raises(NotReady, match="without saying"):
        await in_discord.send(notice())


@pytest.mark.parametrize("module", [slack, discord, teams], ids=["slack", "discord", "teams"])
def test_law_7_a_drill_is_named_and_a_repeat_says_so(module, notice):
    """None of the three merges what comes twice; a drill leads with its name everywhere."""
    said = json.dumps(module.message(notice(drill=True, repeat=True)))
    title = "DRILL: Person in the closed science wing (may be a repeat)"
    assert said.replace("\\", "").count(title) >= 1
    assert "This is a drill." in said
    (driver,) = module.vestibule_notifiers()
    assert (driver.factory.channel.path, driver.factory.channel.deduplicates) == ("wan", False)


def test_the_blocks_are_checked_and_hide_their_secrets():
    """Either a webhook or a bot; addresses and IDs have their shape."""
    hook = "https://hooks.example.com/services/T/B/secret"
    bot = {"token": BOT_TOKEN, "channel": "#alerts"}
    assert "secret" not in f"{SlackConfig(webhook=hook)!r} {TeamsConfig(webhook=hook)!r}"
    assert BOT_TOKEN not in repr(SlackConfig(**bot))
    for wrong in (
        {},
        {"webhook": hook, **bot},
        {"webhook": hook, "channel": "C1"},
        {"token": "a b"},
        {"webhook": "hooks.example.com"},
        {**bot, "channel": "no spaces"},
    ):
        with pytest.raises(ValidationError):
            SlackConfig(**wrong)
    for wrong in ({"webhook": f"{hook}?x=1"}, {"webhook": hook, "thread": "general"}):
        with pytest.raises(ValidationError):
            DiscordConfig(**wrong)
    with pytest.raises(ValidationError):
        TeamsConfig(webhook="ftp://x")
