#pragma once
// A name that stands for a model, or for several that share its requests.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace drover::fleet {

struct Model;

// As an operator gives it.
struct AliasSettings {
  struct Share {
    std::string model;
    unsigned weight = 1;  // of the requests, 1 to 1000

    friend bool operator==(const Share&, const Share&) = default;
  };
  std::string name;
  std::vector<Share> models{};

  friend bool operator==(const AliasSettings&, const AliasSettings&) = default;
};

// As the fleet has it: with those of its models that some node holds.
class Alias {
 public:
  explicit Alias(std::string name) : name_(std::move(name)) {}
  void add(const Model& model, unsigned weight);

  const std::string& name() const { return name_; }  // as the operator wrote it
  bool empty() const { return shares_.empty(); }
  // The one that is listed and shown, and that commands are for.
  const Model& first() const { return *shares_.front().model; }

  // The model that a request gets. Requests with one `affinity` get the same, and a change of weights moves only those
  // that it must: weighted rendezvous (Schindelhauer and Schomaker, Weighted distributed hash tables, 2005). Where it
  // is 0, `turn`, a number that counts up, decides: shares are met as closely as turns allow. O(models), no allocation.
  const Model& model_for(std::uint64_t affinity, std::uint64_t turn) const;

 private:
  struct Share {
    const Model* model;
    double weight;
    std::uint64_t seed;  // the same in all gateways
  };

  std::string name_;
  std::vector<Share> shares_;
  double weights_ = 0;  // their sum
};

}  // namespace drover::fleet
