using System.Diagnostics;

namespace Qcow2.Engine.Formats.Qcow2.Encryption;

/// <summary>Finds how many iterations of key derivation this machine does in a time, so that guessing a passphrase costs as much.</summary>
internal static class LuksIterations
{
    /// <summary>Fewest iterations of a key slot, however slow the machine or short the time: ten times what cryptsetup and QEMU insist on.</summary>
    internal const uint MinSlot = 10_000;

    /// <summary>Fewest iterations of the master key's digest. The key is random, so that there is nothing to guess.</summary>
    internal const uint MinDigest = 1_000;

    private const int FirstTry = 4096;
    private const int LastTry = 1 << 26;

    private static readonly TimeSpan LongEnough = TimeSpan.FromMilliseconds(100);

    /// <summary>Measures.</summary>
    /// <param name="hash">The hash of the derivation.</param>
    /// <param name="keyBytes">Length of the derived key.</param>
    /// <param name="time">How long unlocking is to take on this machine.</param>
    /// <param name="cancellationToken">Ends the measuring.</param>
    internal static uint ForSlot(LuksHash hash, int keyBytes, TimeSpan time, CancellationToken cancellationToken)
    {
        byte[] key = new byte[keyBytes];
        byte[] salt = new byte[LuksHeaderLayout.SaltLength];

        // A quarter of a short time is enough to measure by; the first try also warms the code up.
        TimeSpan enough = time.Ticks / 4 < LongEnough.Ticks ? TimeSpan.FromTicks(time.Ticks / 4) : LongEnough;
        int tried = FirstTry;
        TimeSpan taken = Measure();
        while (taken < enough && tried < LastTry)
        {
            tried *= 2;
            taken = Measure();
        }

        // Whatever else the machine does makes it slower, never faster: the best of three is what it can do.
        for (int i = 0; i < 2; i++)
        {
            TimeSpan again = Measure();
            taken = again < taken ? again : taken;
        }

        double iterations = tried * (time.TotalMilliseconds / Math.Max(0.01, taken.TotalMilliseconds));
        return (uint)Math.Max(MinSlot, Math.Min(LuksHeader.MaxIterations, iterations));

        TimeSpan Measure()
        {
            var watch = Stopwatch.StartNew();
            Pbkdf2.Derive(hash, key, salt, tried, key, cancellationToken);
            return watch.Elapsed;
        }
    }
}
