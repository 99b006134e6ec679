namespace Qcow2.Engine.Codecs;

/// <summary>Literals in a row, and the match behind them. The literals themselves are read from the data.</summary>
internal struct DeflateSequence
{
    internal ushort Literals;

    /// <summary>Bytes of the match; 0 for none.</summary>
    internal ushort Length;

    internal ushort Distance;
    internal ushort DistanceSymbol;
}
