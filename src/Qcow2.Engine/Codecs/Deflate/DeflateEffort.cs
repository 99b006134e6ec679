namespace Qcow2.Engine.Codecs;

/// <summary>How long matches are looked for.</summary>
/// <param name="Chain">Earlier places that are compared.</param>
/// <param name="NiceLength">A match of this many bytes is long enough: nothing better is looked for.</param>
/// <param name="Lazy">At how many of the bytes that follow a better match may begin, for which this one is given up: 0 to 2.</param>
internal readonly record struct DeflateEffort(int Chain, int NiceLength, int Lazy)
{
    private static readonly DeflateEffort[] Levels =
    [
        new(1, 8, 0),
        new(3, 16, 0),
        new(6, 20, 0),
        new(10, 32, 0),
        new(4, 32, 1),
        new(8, 32, 1),
        new(24, 64, 1),
        new(100, 258, 1),
        new(1000, 258, 2),
    ];

    /// <summary>The effort of a level of 1 to 9.</summary>
    internal static DeflateEffort Of(int level) => Levels[level - 1];
}
