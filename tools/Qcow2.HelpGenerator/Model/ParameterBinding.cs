namespace Qcow2.HelpGenerator.Model;

/// <summary>How arguments come to a parameter in one parameter set.</summary>
/// <param name="IsRequired">Whether it must be given.</param>
/// <param name="Position">Its position among unnamed arguments, from 0; null if it must be named.</param>
/// <param name="ByValue">Whether it takes the objects of the pipeline.</param>
/// <param name="ByPropertyName">Whether it takes a property, of its name, of the objects of the pipeline.</param>
public sealed record ParameterBinding(bool IsRequired, int? Position, bool ByValue, bool ByPropertyName)
{
    /// <summary>The position as help shows it: a number or <c>named</c>.</summary>
    public string PositionText => Position?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "named";

    /// <summary>The pipeline input as help shows it: <c>true (ByValue)</c> for one, or <c>false</c>.</summary>
    public string PipelineText => (ByValue, ByPropertyName) switch
    {
        (true, true) => "true (ByValue, ByPropertyName)",
        (true, false) => "true (ByValue)",
        (false, true) => "true (ByPropertyName)",
        _ => "false",
    };
}
