namespace Qcow2.Engine.CrashWriter;

/// <summary>The same writes in the same order for everybody who knows the seed.</summary>
internal sealed class WriteSequence(int seed, int diskLength)
{
    private const int MostBytes = 40_000;

    private readonly Random _random = new(seed);

    internal (int Offset, byte[] Data, bool IsFlushed) Next()
    {
        byte[] data = new byte[_random.Next(4) == 0 ? _random.Next(1, MostBytes) : _random.Next(1, 3000)];
        _random.NextBytes(data);
        return (_random.Next(diskLength - data.Length), data, _random.Next(4) == 0);
    }
}
