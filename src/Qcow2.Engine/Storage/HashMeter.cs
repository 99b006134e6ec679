using System.Security.Cryptography;

namespace Qcow2.Engine.Storage;

/// <summary>A hash in the making, beside the one that is expected.</summary>
internal sealed class HashMeter(ExpectedHash expected, IncrementalHash hash) : IDisposable
{
    /// <summary>What is expected.</summary>
    internal ExpectedHash Expected => expected;

    internal void Add(byte[] bytes, int count) => hash.AppendData(bytes, 0, count);

    /// <summary>Ends it.</summary>
    /// <param name="found">The hash that was found, with the name of its algorithm.</param>
    /// <returns>Whether it is the one that was expected.</returns>
    internal bool IsMet(out string found)
    {
        byte[] value = hash.GetHashAndReset();
        found = expected.Text(value);
        return expected.IsMetBy(value);
    }

    /// <exception cref="Qcow2Exception">It is another one than was expected.</exception>
    internal void Require()
    {
        if (!IsMet(out string found))
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.HashMismatch, $"The file is not the one that is meant: {expected} was expected, and it has {found}. It was damaged on its way, or is another one by now. Nothing of it was used.");
        }
    }

    public void Dispose() => hash.Dispose();
}
