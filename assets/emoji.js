// The usual emoji, by what they are about: each with its name and, behind a bar, other words by which it is looked for.

export default {
  faces: `😀 grinning|smile happy
😃 big smile|happy smiley
😄 smiling eyes|smile happy
😁 beaming|grin smile teeth
😆 laughing|haha satisfied
😅 sweat smile|relief phew
😂 tears of joy|lol laugh cry
🤣 rolling laughing|rofl lol
🙂 slight smile|fine
🙃 upside down|silly irony
😉 wink|joke
😊 blush|smile warm
😇 halo|angel innocent
🥰 smiling with hearts|love adore
😍 heart eyes|love
🤩 star struck|wow excited
😘 kiss|love
😋 yum|tasty delicious
😛 tongue|joke playful
😜 winking tongue|joke crazy
🤪 zany|goofy crazy
🤗 hug|hugging
🤭 oops|hand over mouth giggle
🤫 shush|quiet secret
🤔 thinking|hmm wonder
🤨 raised eyebrow|doubt really
😐 neutral|meh
😑 expressionless|meh
😶 no mouth|silent
😏 smirk|sly
😒 unamused|bored annoyed
🙄 rolling eyes|annoyed
😬 grimace|awkward
😌 relieved|calm
😔 pensive|sad sorry
😪 sleepy|tired
😴 sleeping|zzz tired
😷 mask|ill sick
🤒 thermometer|ill sick fever
🤕 bandage|hurt
🤢 nauseated|sick
🤧 sneezing|cold sick
🥵 hot|heat
🥶 cold|freezing
🥴 woozy|dizzy
😵 dizzy|shocked
🤯 mind blown|exploding wow
🤠 cowboy|hat
🥳 party|celebrate birthday
😎 sunglasses|cool
🤓 nerd|glasses geek
🧐 monocle|inspect
😕 confused|unsure
😟 worried|nervous
🙁 slight frown|sad
😮 open mouth|wow surprised
😲 astonished|wow shocked
😳 flushed|embarrassed
🥺 pleading|puppy please
😨 fearful|scared
😰 anxious|nervous sweat
😢 crying|sad tear
😭 sobbing|cry sad
😱 screaming|scared shock
😖 confounded|struggle
😞 disappointed|sad
😩 weary|tired
😫 tired|exhausted
🥱 yawn|bored tired
😤 steam|huff proud
😡 angry|mad rage
🤬 cursing|swear angry
😈 devil smile|evil
💀 skull|dead
💩 poo|shit
🤡 clown|
👻 ghost|halloween boo
👽 alien|ufo
🤖 robot|bot
😺 cat smile|cat
🙈 see no evil|monkey shy
🙉 hear no evil|monkey
🙊 speak no evil|monkey secret`,
  people: `👋 wave|hello bye hi
✋ raised hand|stop high five
🖖 vulcan|spock
👌 ok hand|perfect fine
🤏 pinch|little small
✌️ victory|peace
🤞 crossed fingers|luck hope
🤘 horns|rock metal
🤙 call me|shaka
👈 left|point
👉 right|point
👆 up|point
👇 down|point
👍 thumbs up|yes good like agree +1
👎 thumbs down|no bad dislike -1
✊ fist|power
👊 punch|fist bump
👏 clap|applause bravo
🙌 raised hands|hooray praise
👐 open hands|
🤝 handshake|deal agree
🙏 folded hands|please thanks pray
✍️ writing|note
💪 muscle|strong
👀 eyes|look see
🧠 brain|smart
👂 ear|listen
👶 baby|child
🧒 child|kid
👩 woman|
👨 man|
🧑 person|
👵 grandmother|old
👴 grandfather|old
🤷 shrug|dunno whatever
🤦 facepalm|doh
🙋 raising hand|me question
🙇 bow|sorry thanks
💁 tipping hand|info
🧑‍💻 at the computer|developer coder work
🧑‍🍳 cook|chef
🧑‍🚀 astronaut|space
🦸 superhero|hero
🧙 mage|wizard
🎅 Santa|christmas
💃 dancing|dance party
🕺 man dancing|dance party
🏃 running|run hurry
🚶 walking|walk
👫 couple|pair
👪 family|`,
  hearts: `❤️ red heart|love
🧡 orange heart|love
💛 yellow heart|love
💚 green heart|love
💙 blue heart|love
💜 purple heart|love
🖤 black heart|love
🤍 white heart|love
💔 broken heart|sad
💕 two hearts|love
💖 sparkling heart|love
💯 hundred|perfect points
✅ check|done yes ok
✔️ tick|done yes
❌ cross|no wrong
❓ question|what
❗ exclamation|important
⚠️ warning|careful
🚫 forbidden|no
⛔ no entry|stop
💤 zzz|sleep
💥 boom|explosion bang
💫 dizzy star|
✨ sparkles|new shiny magic
⭐ star|favourite
🌟 glowing star|
🔥 fire|hot lit
💡 light bulb|idea
💬 speech bubble|talk chat
💭 thought bubble|think
🔔 bell|ring
🔇 muted|quiet
➕ plus|add
➖ minus|
➡️ right arrow|
⬅️ left arrow|
⬆️ up arrow|
⬇️ down arrow|
🔁 repeat|again
🆗 OK|
🆕 new|
🔴 red circle|
🟢 green circle|
🔵 blue circle|`,
  nature: `🐶 dog|puppy
🐱 cat|kitten
🐭 mouse|
🐰 rabbit|bunny
🦊 fox|
🐻 bear|
🐼 panda|
🐨 koala|
🐯 tiger|
🦁 lion|
🐮 cow|
🐷 pig|
🐸 frog|
🐵 monkey|
🐔 chicken|
🐧 penguin|
🐦 bird|
🦆 duck|
🦉 owl|
🐺 wolf|
🐴 horse|
🦄 unicorn|
🐝 bee|
🦋 butterfly|
🐌 snail|slow
🐞 ladybird|bug beetle
🐢 turtle|slow
🐍 snake|
🐙 octopus|
🦀 crab|rust
🐬 dolphin|
🐳 whale|
🐟 fish|
🐘 elephant|
🦔 hedgehog|
🌱 seedling|grow plant
🌲 evergreen|tree forest
🌳 tree|
🌵 cactus|
🍀 clover|luck
🍂 fallen leaves|autumn
🌸 blossom|flower spring
🌹 rose|flower
🌻 sunflower|flower
💐 bouquet|flowers
🌍 globe|world earth
🌙 moon|night
☀️ sun|weather
⛅ sun and cloud|weather
☁️ cloud|weather
🌧️ rain|weather
⛈️ thunderstorm|weather
❄️ snowflake|winter cold
⛄ snowman|winter
🌈 rainbow|
🌊 wave of water|sea
⚡ lightning|fast power`,
  food: `🍎 apple|fruit
🍌 banana|fruit
🍓 strawberry|fruit
🍉 melon|fruit
🍒 cherries|fruit
🍋 lemon|fruit
🥑 avocado|
🥕 carrot|
🍅 tomato|
🥔 potato|
🌽 corn|maize
🍄 mushroom|
🍞 bread|
🥐 croissant|breakfast
🥨 pretzel|
🧀 cheese|
🍳 egg|breakfast cooking
🍔 burger|
🍟 chips|fries
🍕 pizza|
🌭 hot dog|
🌮 taco|
🥗 salad|
🍝 spaghetti|pasta
🍜 noodles|soup ramen
🍲 stew|soup pot
🍣 sushi|
🍚 rice|
🍦 ice cream|
🍩 doughnut|donut
🍪 cookie|biscuit
🎂 birthday cake|
🍰 cake|
🍫 chocolate|
🍿 popcorn|film
☕ coffee|hot drink
🍵 tea|
🥤 soft drink|cup
🍺 beer|
🍻 cheers|beer
🥂 clinking glasses|cheers toast
🍷 wine|
🍹 cocktail|drink
🍾 champagne|celebrate`,
  doing: `⚽ football|soccer sport
🏀 basketball|sport
🎾 tennis|sport
🏓 table tennis|ping pong
🏊 swimming|swim
🚴 cycling|bike
🧗 climbing|
⛷️ skiing|ski
🏆 trophy|win
🥇 gold medal|first
🎮 video game|play
🎲 dice|game
🧩 puzzle|
🎯 bullseye|target
🎨 art|paint
🎬 film|movie
🎤 microphone|sing
🎧 headphones|music
🎸 guitar|music
🎹 piano|music
🎵 note|music
🚗 car|
🚌 bus|
🚲 bicycle|bike
🚆 train|
🚀 rocket|launch ship
✈️ aeroplane|travel fly
⛵ sailing boat|
🏠 house|home
🏢 office|work
🏥 hospital|
🏫 school|
⛺ tent|camping
🏖️ beach|holiday
⛰️ mountain|
🗺️ map|
🌅 sunrise|morning
🏳️‍🌈 rainbow flag|pride
🏁 chequered flag|finish
🚩 red flag|`,
  things: `🎉 party popper|tada celebrate hooray
🎊 confetti|celebrate
🎈 balloon|party
🎁 present|gift
🎄 christmas tree|
🎃 pumpkin|halloween
📱 phone|mobile
💻 laptop|computer
🖥️ screen|computer
⌨️ keyboard|
🖨️ printer|
📷 camera|photo
📺 television|tv
🔋 battery|
🔌 plug|power
🔦 torch|light
📚 books|read
📖 open book|read
✏️ pencil|write
📝 memo|note write
📌 pin|
📎 paper clip|attach
✂️ scissors|cut
📅 calendar|date
⏰ alarm clock|time
⏳ hourglass|wait
🔑 key|
🔒 locked|
🔓 unlocked|
🔨 hammer|tool
🔧 wrench|tool fix
⚙️ gear|settings
🧪 test tube|science
🔬 microscope|science
💊 pill|medicine
🩹 plaster|
🛒 shopping cart|buy
💰 money bag|
💸 flying money|
💳 card|pay
📈 rising chart|up
📉 falling chart|down
📦 package|box
📧 e-mail|mail
🔍 magnifier|search find
🗑️ bin|trash
🧹 broom|clean
🛠️ tools|fix build
🐛 bug|insect error
👑 crown|king queen
👓 glasses|
🎒 backpack|
☂️ umbrella|rain`,
};
