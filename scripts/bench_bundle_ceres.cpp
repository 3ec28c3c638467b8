// The joint bundle of bench_bundle.py, solved by Ceres with automatic derivatives; built and started from there.
//
// A camera is one block: fx fy cx cy k1 k2 p1 p2, rotation vector, translation. A board is one: rotation vector,
// translation. Rotation vectors need no manifold. The first camera's pose is constant, which fixes the world.
#include <ceres/ceres.h>
#include <ceres/rotation.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

struct Corner {
  double camera, board, x, y, z, u, v;
};

struct Reprojection {
  explicit Reprojection(const Corner& corner, double sigma) : c(corner), sigma(sigma) {}

  template <typename T>
  bool operator()(const T* camera, const T* board, T* residual) const {
    const T on_board[3] = {T(c.x), T(c.y), T(c.z)};
    T world[3], p[3];
    ceres::AngleAxisRotatePoint(board, on_board, world);
    for (int i = 0; i < 3; ++i) world[i] += board[3 + i];
    ceres::AngleAxisRotatePoint(camera + 8, world, p);
    for (int i = 0; i < 3; ++i) p[i] += camera[11 + i];
    const T x = p[0] / p[2], y = p[1] / p[2], r2 = x * x + y * y;
    const T radial = 1.0 + r2 * (camera[4] + r2 * camera[5]), xy = x * y;
    const T dx = x * radial + 2.0 * camera[6] * xy + camera[7] * (r2 + 2.0 * x * x);
    const T dy = y * radial + camera[6] * (r2 + 2.0 * y * y) + 2.0 * camera[7] * xy;
    residual[0] = (camera[0] * dx + camera[2] - c.u) / sigma;
    residual[1] = (camera[1] * dy + camera[3] - c.v) / sigma;
    return true;
  }

  Corner c;
  double sigma;
};

// Arguments: problem, answer, threads, "dense" or "sparse" Schur complement. All files hold doubles.
int main(int, char** arguments) {
  std::ifstream in(arguments[1], std::ios::binary);
  double head[5];  // cameras, boards, corners, sigma px, Huber's threshold in sigma
  in.read(reinterpret_cast<char*>(head), sizeof head);
  std::vector<double> cameras(14 * head[0]), boards(6 * head[1]);
  std::vector<Corner> corners(head[2]);
  in.read(reinterpret_cast<char*>(cameras.data()), cameras.size() * sizeof(double));
  in.read(reinterpret_cast<char*>(boards.data()), boards.size() * sizeof(double));
  in.read(reinterpret_cast<char*>(corners.data()), corners.size() * sizeof(Corner));

  ceres::Problem problem;
  auto* loss = new ceres::HuberLoss(head[4]);
  auto* ordering = new ceres::ParameterBlockOrdering;
  for (const Corner& c : corners) {
    auto* cost = new ceres::AutoDiffCostFunction<Reprojection, 2, 14, 6>(new Reprojection(c, head[3]));
    problem.AddResidualBlock(cost, loss, &cameras[14 * int(c.camera)], &boards[6 * int(c.board)]);
    ordering->AddElementToGroup(&boards[6 * int(c.board)], 0);
    ordering->AddElementToGroup(&cameras[14 * int(c.camera)], 1);
  }
  problem.SetManifold(cameras.data(), new ceres::SubsetManifold(14, {8, 9, 10, 11, 12, 13}));

  ceres::Solver::Options options;
  options.linear_solver_type = arguments[4] == std::string("dense") ? ceres::DENSE_SCHUR : ceres::SPARSE_SCHUR;
  options.linear_solver_ordering.reset(ordering);
  options.function_tolerance = 1e-9;
  options.num_threads = std::stoi(arguments[3]);
  ceres::Solver::Summary summary;
  const auto start = std::chrono::steady_clock::now();
  ceres::Solve(options, &problem, &summary);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  std::ofstream out(arguments[2], std::ios::binary);
  out.write(reinterpret_cast<const char*>(cameras.data()), cameras.size() * sizeof(double));
  std::printf("%.6f %.12g %d\n", seconds.count(), 2 * summary.final_cost, int(summary.num_successful_steps));
  return summary.IsSolutionUsable() ? 0 : 1;
}
