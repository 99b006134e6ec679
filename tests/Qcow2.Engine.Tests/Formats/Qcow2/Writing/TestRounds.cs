using System.Globalization;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>How long the random tests go on, and where their randomness starts.</summary>
/// <remarks>
/// QCOW2_TEST_ROUNDS multiplies their length. QCOW2_TEST_SEED replaces every test's seed: run the one test that failed with the seed
/// that its message names.
/// </remarks>
internal static class TestRounds
{
    private static readonly int Factor = Variable("QCOW2_TEST_ROUNDS") ?? 1;
    private static readonly int? FixedSeed = Variable("QCOW2_TEST_SEED");

    internal static int Times(int rounds) => rounds * Factor;

    /// <summary>A seed that is the same in every run.</summary>
    internal static int Seed(string name)
    {
        uint hash = 2166136261;
        foreach (char c in name)
        {
            hash = (hash ^ c) * 16777619;
        }

        return FixedSeed ?? (int)(hash & 0x7fff_ffff);
    }

    private static int? Variable(string name)
        => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : null;
}
