#if NETSTANDARD2_0
namespace System.Security.Cryptography;

/// <summary>The span overloads that netstandard2.0 lacks. What they copy they zero, as most of it is key material.</summary>
internal static class IncrementalHashExtensions
{
    internal static void AppendData(this IncrementalHash hash, ReadOnlySpan<byte> data)
    {
        byte[] copy = data.ToArray();
        hash.AppendData(copy);
        CryptographicOperations.ZeroMemory(copy);
    }

    internal static int GetHashAndReset(this IncrementalHash hash, Span<byte> destination)
    {
        byte[] digest = hash.GetHashAndReset();
        digest.CopyTo(destination);
        CryptographicOperations.ZeroMemory(digest);
        return digest.Length;
    }
}
#endif
