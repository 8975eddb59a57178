// A room chat on uWebSockets: what its own publish/subscribe makes of it.
//
// The text and the cid are copied as they stand between their quotes, without a JSON library:
// the kindest treatment a peer could ask for. PORT [CERTIFICATE KEY]; whether it speaks TLS is decided when it is built.

#include <App.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>

struct Member {
    std::string room;
    std::string name;
};

static std::string_view field(std::string_view json, std::string_view key) {
    size_t start = json.find(key);
    if (start == std::string_view::npos) return {};
    start += key.size();
    size_t end = start;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    return json.substr(start, end - start);
}

static long long now_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

#ifdef WITH_TLS
using App = uWS::SSLApp;
#else
using App = uWS::App;
#endif

int main(int argc, char **argv) {
    int port = argc > 1 ? std::atoi(argv[1]) : 9001;
#ifdef WITH_TLS
    if (argc < 4) return 2;
    App app({.key_file_name = argv[3], .cert_file_name = argv[2]});
#else
    App app;
#endif
    std::unordered_map<std::string, unsigned long> last_ids;

    App::WebSocketBehavior<Member> chat;
    chat.compression = uWS::DISABLED;
    chat.idleTimeout = 0;
    chat.message = [&](auto *socket, std::string_view frame, uWS::OpCode) {
        Member *member = socket->getUserData();
        std::string_view type = field(frame, "\"type\":\"");
        if (type == "join") {
            member->room = field(frame, "\"room\":\"");
            member->name = field(frame, "\"name\":\"");
            socket->subscribe(member->room);
            socket->send("{\"type\":\"joined\",\"room\":\"" + member->room + "\"}", uWS::OpCode::TEXT);
        } else if (type == "message") {
            std::string event;
            event.reserve(256);
            event += "{\"type\":\"message\",\"id\":";
            event += std::to_string(++last_ids[member->room]);
            event += ",\"time\":";
            event += std::to_string(now_ms());
            event += ",\"name\":\"";
            event += member->name;
            event += "\",\"via\":\"web\",\"kind\":\"say\",\"text\":\"";
            event += field(frame, "\"text\":\"");
            event += "\",\"cid\":\"";
            event += field(frame, "\"cid\":\"");
            event += "\"}";
            app.publish(member->room, event, uWS::OpCode::TEXT);
        }
    };

    app.ws<Member>("/*", std::move(chat))
        .listen("127.0.0.1", port, [](auto *listener) {
            if (!listener) std::exit(3);
        })
        .run();
}
