namespace Qcow2.Engine.Tests.Codecs;

internal static class TestData
{
    /// <summary>Bytes that look random and are always the same.</summary>
    internal static byte[] Random(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
